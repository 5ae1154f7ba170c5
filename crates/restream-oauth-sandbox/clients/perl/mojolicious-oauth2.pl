# Mojolicious::Plugin::OAuth2: `get_refresh_token_p`, as its manual shows. It does not refresh alone, and the program
# keeps what the promise gives.
use Mojolicious::Lite -signatures;
use Report;

plugin OAuth2 => { restream => {
    key => $ENV{CLIENT_ID}, secret => $ENV{CLIENT_SECRET},
    authorize_url => "$ENV{BASE_URL}/login", token_url => "$ENV{BASE_URL}/oauth/token" } };
my %store = (access_token => $ENV{ACCESS_TOKEN}, refresh_token => $ENV{REFRESH_TOKEN},
    expires_at => time + $ENV{EXPIRES_IN});

sub call {
    if ($store{expires_at} <= time) {
        my ($answer, $refused);
        app->build_controller->oauth2->get_refresh_token_p(restream => { refresh_token => $store{refresh_token} })
            ->then(sub ($new) { $answer = $new })->catch(sub ($error) { $refused = $error })->wait;
        die $refused if $refused;
        %store = (%$answer{qw(access_token refresh_token)}, expires_at => time + $answer->{expires_in});
    }
    app->ua->get("$ENV{BASE_URL}/v2/user/profile", { Authorization => "Bearer $store{access_token}" });
}

calls(\&call, sub ($error, @) { failed('a message: ' . $error =~ s/^.*? == //r) });
report($store{access_token}, $store{refresh_token});
