#!/usr/bin/env bash
# Software: LWP::Authen::OAuth2 0.20 (Debian 12: liblwp-authen-oauth2-perl 0.20-1), on Perl 5.36.
#
# What was run: a request with a stored token of an hour's life, of which 1000, 299, 60, 2 and -1 seconds are
# left; first with the default of `early_refresh_time` (300 seconds), then with 1200. The token is old or young
# through its stored `create_time`, in the very form in which the module stores it.
#
# A good engineer would guess: with 299 seconds left the token is refreshed before the request, as the setting
# says. With 1200, it is refreshed at 1000 seconds too.
#
# What happens: no value of the setting has any effect. The margin is cut to half of the life, so that short
# tokens are not refreshed at each request. But the half is taken of what is left now, not of the whole life,
# and what is left is never below its own half. The refresh comes only when the token is already old, at -1.
#
# What follows: the margin that should cover clock skew and the way to the server does not exist. Each token is
# used to its last second; a server whose clock is ahead answers 401 at the end of each hour. The module tries
# again only if that answer carries `invalid_token` in WWW-Authenticate, so with other servers the call fails.
#
# How to avoid: ask `$oauth2->expires_time` yourself before a request, and call `refresh_access_token` when it
# is near. A margin needs a test at each side of its edge: a test with a fresh and an old token sees nothing.
set -euo pipefail
dir=$(mktemp -d); trap 'kill "${server:-}" 2>/dev/null; wait; rm -rf "$dir"' EXIT; cd "$dir"; chmod 755 .
apt-get download -qq liblwp-authen-oauth2-perl=0.20-1 libclone-perl libencode-locale-perl libfile-listing-perl \
  libhtml-parser-perl libhtml-tagset-perl libhtml-tree-perl libhttp-cookies-perl libhttp-date-perl \
  libhttp-message-perl libhttp-negotiate-perl libio-html-perl libjson-perl liblwp-mediatypes-perl \
  libnet-http-perl libtimedate-perl libtry-tiny-perl liburi-perl libwww-perl libwww-robotrules-perl \
  >/dev/null 2>&1 || { echo "the Debian 12 packages cannot be fetched (apt-get update first)"; exit 1; }
for deb in *.deb; do dpkg -x "$deb" root; done
export PERL5LIB=$dir/root/usr/share/perl5:$dir/root/usr/lib/x86_64-linux-gnu/perl5/5.36
cat > server.py <<'PY'
import http.server, json
class Server(http.server.BaseHTTPRequestHandler):
    def log_message(self, *a): pass
    def answer(self, body):
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers(); self.wfile.write(data)
    def do_GET(self): self.answer({"seen": self.headers["Authorization"]})
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer({"access_token": "at2", "refresh_token": "rt2", "token_type": "Bearer", "expires_in": 3600})
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
open("port", "w").write(f"http://127.0.0.1:{server.server_port}")
server.serve_forever()
PY
python3 server.py & server=$!
for _ in $(seq 50); do [ -s port ] && break; sleep 0.1; done
cat > try.pl <<'PL'
use strict; use warnings;
use JSON qw(encode_json decode_json);
use LWP::Authen::OAuth2;
my ($base, $early) = @ARGV;
for my $left (1000, 299, 60, 2, -1) {
    my $saved = "not refreshed";
    my $oauth2 = LWP::Authen::OAuth2->new(
        client_id => "k", client_secret => "s", redirect_uri => "http://127.0.0.1/",
        authorization_endpoint => "$base/authorize", token_endpoint => "$base/token",
        ($early ? (early_refresh_time => $early) : ()),
        save_tokens => sub { $saved = "refreshed to " . decode_json($_[0])->{refresh_token} },
        token_string => encode_json({
            _class => "LWP::Authen::OAuth2::AccessToken::Bearer", access_token => "at1", refresh_token => "rt1",
            token_type => "Bearer", expires_in => 3600, create_time => time() - 3600 + $left }));
    my $seen = decode_json($oauth2->get("$base/api")->content)->{seen};
    printf "margin %4d, %4d seconds left: %s, the call was made with %s\n", $early || 300, $left, $saved, $seen;
}
PL
perl -MLWP::Authen::OAuth2 -e 'print "LWP::Authen::OAuth2 $LWP::Authen::OAuth2::VERSION\n"'
echo "expected: refreshed wherever fewer seconds are left than the margin has"
{ perl try.pl "$(cat port)"; perl try.pl "$(cat port)" 1200; } | tee out
[ "$(grep -c 'not refreshed.*at1$' out)" = 8 ] && [ "$(grep -c -- '-1 seconds left: refreshed to rt2.*at2$' out)" = 2 ] \
  && echo "SEEN: no margin, whatever is set: refreshed only after the end" || { echo "NO LONGER SEEN"; exit 1; }
