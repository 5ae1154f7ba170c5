# LWP::Authen::OAuth2 with stored tokens and `save_tokens`, as its synopsis shows.
use strict;
use warnings;
use JSON qw(decode_json encode_json);
use LWP::Authen::OAuth2;
use Report;

my $saved = { access_token => $ENV{ACCESS_TOKEN}, refresh_token => $ENV{REFRESH_TOKEN} };
my $oauth2 = LWP::Authen::OAuth2->new(
    client_id => $ENV{CLIENT_ID}, client_secret => $ENV{CLIENT_SECRET}, redirect_uri => $ENV{REDIRECT_URI},
    authorization_endpoint => "$ENV{BASE_URL}/login", token_endpoint => "$ENV{BASE_URL}/oauth/token",
    save_tokens => sub { $saved = decode_json($_[0]) },
    token_string => encode_json({
        _class => 'LWP::Authen::OAuth2::AccessToken::Bearer', token_type => 'Bearer', expires_in => 3600,
        create_time => time - 3600 + $ENV{EXPIRES_IN}, %$saved }));

calls(sub { $oauth2->get("$ENV{BASE_URL}/v2/user/profile") },
    sub { failed('a message: ' . ($_[0] =~ /([^\n]*)/)[0]) });
report($saved->{access_token}, $saved->{refresh_token});
