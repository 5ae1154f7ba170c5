# Net::OAuth2: a WebServer profile and a session, thawed as its manual shows under "DETAILS".
use strict;
use warnings;
use Net::OAuth2::AccessToken;
use Net::OAuth2::Profile::WebServer;
use Report;

my $saved = 0;
my $auth = Net::OAuth2::Profile::WebServer->new(
    client_id => $ENV{CLIENT_ID}, client_secret => $ENV{CLIENT_SECRET}, redirect_uri => $ENV{REDIRECT_URI},
    site => $ENV{BASE_URL}, authorize_path => '/login', access_token_path => '/oauth/token',
    refresh_token_path => '/oauth/token', auto_save => sub { $saved++ });
my $token = Net::OAuth2::AccessToken->session_thaw(
    { access_token => $ENV{ACCESS_TOKEN}, refresh_token => $ENV{REFRESH_TOKEN}, token_type => 'Bearer',
      expires_at => time + $ENV{EXPIRES_IN}, auto_refresh => 1 },
    profile => $auth);

# The message of the error is all that there is. It ends with the first 200 bytes of the body.
calls(sub { $token->get('/v2/user/profile') }, sub {
    my ($first_line) = $_[0] =~ /([^\n]*)/;
    my ($name) = $_[0] =~ /"name":"(\w+)"/;
    failed("a message: $first_line", undef, '$@ =~ /"name":"(\w+)"/', $name);
});
my $changed = $token->changed ? 'yes' : 'no';
my $session = $token->session_freeze;
print STDERR "auto_save was called $saved times, changed: $changed\n";
report($session->{access_token}, $session->{refresh_token});
