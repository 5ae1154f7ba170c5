# OAuth::Lite2: a WebServer client and its `refresh_access_token`, as its synopsis shows. It does not refresh alone.
use strict;
use warnings;
use JSON::PP qw(decode_json);
use LWP::UserAgent;
use OAuth::Lite2::Client::WebServer;
use Report;

my $client = OAuth::Lite2::Client::WebServer->new(
    id => $ENV{CLIENT_ID}, secret => $ENV{CLIENT_SECRET},
    authorize_uri => "$ENV{BASE_URL}/login", access_token_uri => "$ENV{BASE_URL}/oauth/token");
my %store = (access_token => $ENV{ACCESS_TOKEN}, refresh_token => $ENV{REFRESH_TOKEN},
    expires_at => time + $ENV{EXPIRES_IN});

sub call {
    if ($store{expires_at} <= time) {
        my $token = $client->refresh_access_token(refresh_token => $store{refresh_token}) or die $client->errstr;
        %store = (access_token => $token->access_token, refresh_token => $token->refresh_token,
            expires_at => time + $token->expires_in);
    }
    LWP::UserAgent->new->get("$ENV{BASE_URL}/v2/user/profile", Authorization => "Bearer $store{access_token}");
}

calls(\&call, sub {
    my ($message) = $_[0] =~ /([^\n]*)/;
    my $name = eval { decode_json($client->last_response->content)->{error}{name} };
    failed("a message: $message", undef, 'decode_json($client->last_response->content)->{error}{name}', $name);
});
report($store{access_token}, $store{refresh_token});
