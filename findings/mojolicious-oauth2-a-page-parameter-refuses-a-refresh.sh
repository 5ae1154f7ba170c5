#!/usr/bin/env bash
# Software: Mojolicious::Plugin::OAuth2 2.02 (Debian 12: libmojolicious-plugin-oauth2-perl 2.02-1) with Mojolicious 9.31
# (libmojolicious-perl 9.31+dfsg-1), on Perl 5.36.
#
# What was run: a page of a web application refreshes a stored grant with `$c->oauth2->get_refresh_token_p` and shows
# what came. It is asked for three times: without a parameter, with `?week=7`, and with `?error=audio`, a filter of the
# page's own. The token endpoint is well, and counts what it gets. Then the same with a fresh controller.
#
# A good engineer would guess: a refresh is between the application and the token endpoint. The parameters of the
# page, whatever they are called, have no part in it.
#
# What happens: the refresh helper begins like the login's helper, which runs in the callback's page: it reads `error`
# and `error_description` of the current request, and rejects the promise with what it finds. Nothing is sent. The
# rejection has the form of an answer from the server: the text of the error.
#
# What follows: a page with a parameter of this name cannot refresh, and a link with `?error=...` makes a page say that
# the server refused. A program that ends a grant when a refresh is rejected ends one that lives.
#
# How to avoid: `app->build_controller->oauth2->get_refresh_token_p(...)`, as tried below: a fresh controller has no
# parameters. In general, code that reads a callback belongs to the callback's page alone.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"; chmod 755 .
apt-get download -qq libmojolicious-plugin-oauth2-perl=2.02-1 libmojolicious-perl=9.31+dfsg-1 libjs-bootstrap4 \
  libjs-highlight.js libjs-jquery >/dev/null 2>&1 \
  || { echo "the Debian 12 packages cannot be fetched (apt-get update first)"; exit 1; }
for deb in *.deb; do dpkg -x "$deb" root; done
# Links to absolute places lead to the unpacked files.
find root -type l -lname '/*' | while read -r link; do ln -sfn "$dir/root$(readlink "$link")" "$link"; done
export PERL5LIB=$dir/root/usr/share/perl5 MOJO_LOG_LEVEL=fatal
cat > try.pl <<'PL'
use Mojolicious::Lite -signatures;
my $sent = 0;
post '/token' => sub ($c) {
    $sent++;
    my %pair = (access_token => "at$sent", refresh_token => "rt$sent");
    $c->render(json => { %pair, token_type => 'Bearer', expires_in => 3600 });
};
plugin OAuth2 => { ua => app->ua, providers => {
    server => { key => 'k', secret => 's', authorize_url => '/authorize', token_url => '/token' } } };
sub show ($c, $caller) {
    my $held = $c->render_later->tx;
    $caller->oauth2->get_refresh_token_p(server => { refresh_token => 'rt0' })
        ->then(sub ($pair) { $c->render(text => "refreshed") })
        ->catch(sub ($error, @) { $c->render(text => "refused: $error") })
        ->finally(sub { undef $held });
}
get '/report' => sub ($c) { show($c, $c) };
get '/careful' => sub ($c) { show($c, app->build_controller) };
for my $page (qw(/report /report?week=7 /report?error=audio /careful?error=audio)) {
    my $before = $sent;
    my $text;
    app->ua->get_p($page)->then(sub ($tx) { $text = $tx->res->text })->wait;
    printf "%-22s %s, %d sent\n", $page, $text, $sent - $before;
}
PL
perl -MMojolicious::Plugin::OAuth2 -e 'print "Mojolicious::Plugin::OAuth2 $Mojolicious::Plugin::OAuth2::VERSION\n"'
echo "expected: refreshed, 1 sent"
timeout 60 perl try.pl > out; cat out
diff out - <<'END' && echo "SEEN: a page's own parameter refuses a refresh" || { echo "NO LONGER SEEN"; exit 1; }
/report                refreshed, 1 sent
/report?week=7         refreshed, 1 sent
/report?error=audio    refused: audio, 0 sent
/careful?error=audio   refreshed, 1 sent
END
