#!/usr/bin/env bash
# Software: Net::OAuth2 0.67 (Debian 12: libnet-oauth2-perl 0.67-1), on Perl 5.36.
#
# What was run: a server whose token responses have no `expires_in`, which RFC 6749 only recommends, and whose
# refresh tokens rotate. The program exchanges a code, calls the API, gets 401 when the server ends the access
# token, and calls `refresh`, twice. Then the same with a profile of the program's own that adds a lifetime.
#
# A good engineer would guess: a response without a lifetime is one that the program must refresh after a 401. The
# exchange takes it so: the token never expires by itself. The refresh does the same.
#
# What happens: the exchange accepts the response, and the refresh refuses it: "no expires_in found in refresh
# data". The check comes after the server has rotated, and before anything of the response is kept. So the session
# still holds the spent refresh token, and the next refresh is refused as invalid_grant.
#
# What follows: the login works, and so does each call of the first hour or day. The first refresh ends the grant,
# with a message that looks like a complaint about the server and not like a loss.
#
# How to avoid: a profile that adds a lifetime of its own, in `params_from_response`, as tried below. In a client of
# your own: keep what a token response brings before you judge what it lacks.
set -euo pipefail
dir=$(mktemp -d); trap 'kill "${server:-}" 2>/dev/null; wait; rm -rf "$dir"' EXIT; cd "$dir"; chmod 755 .
apt-get download -qq libnet-oauth2-perl=0.67-1 libclone-perl libencode-locale-perl libfile-listing-perl \
  libhtml-parser-perl libhtml-tagset-perl libhtml-tree-perl libhttp-cookies-perl libhttp-date-perl \
  libhttp-message-perl libhttp-negotiate-perl libio-html-perl libjson-maybexs-perl liblwp-mediatypes-perl \
  libnet-http-perl libtimedate-perl libtry-tiny-perl liburi-perl libwww-perl libwww-robotrules-perl \
  >/dev/null 2>&1 || { echo "the Debian 12 packages cannot be fetched (apt-get update first)"; exit 1; }
for deb in *.deb; do dpkg -x "$deb" root; done
export PERL5LIB=$dir/root/usr/share/perl5:$dir/root/usr/lib/x86_64-linux-gnu/perl5/5.36
cat > server.py <<'PY'
import http.server, json, urllib.parse
count, live = 0, {"a-code"}
class Server(http.server.BaseHTTPRequestHandler):
    def log_message(self, *a): pass
    def answer(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers(); self.wfile.write(data)
    def do_GET(self):
        good = self.headers["Authorization"] == f"Bearer at{count}" and count > 1
        self.answer(200 if good else 401, {})
    def do_POST(self):
        global count
        q = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        sent = q.get("code") or q.get("refresh_token")
        if sent not in live: return self.answer(400, {"error": "invalid_grant"})
        live.discard(sent); count += 1; live.add(f"rt{count}")
        self.answer(200, {"access_token": f"at{count}", "refresh_token": f"rt{count}", "token_type": "Bearer"})
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
open("port", "w").write(f"http://127.0.0.1:{server.server_port}")
server.serve_forever()
PY
cat > try.pl <<'PL'
use strict; use warnings;
package Patient;
use parent 'Net::OAuth2::Profile::WebServer';
sub params_from_response { my $self = shift; (expires_in => 3600, $self->SUPER::params_from_response(@_)) }
package main;
my ($base, $class) = @ARGV;
my $auth = $class->new(client_id => "k", client_secret => "s", site => $base, access_token_path => "/token",
    refresh_token_path => "/token", redirect_uri => "http://127.0.0.1/");
my $token = $auth->get_access_token("a-code");
print "login: holds ", $token->refresh_token, "\n";
print "call: ", $token->get("/api")->code, "\n";
for (1, 2) {
    my $good = eval { $token->refresh; 1 };
    print "refresh: ", $good ? "done" : $@ =~ /invalid_grant/ ? "invalid_grant" : $@ =~ /^(.*) at /, ", holds ",
        $token->refresh_token, "\n";
}
print "call: ", $token->get("/api")->code, "\n";
PL
perl -MNet::OAuth2 -e 'print "Net::OAuth2 $Net::OAuth2::VERSION; expected: each refresh is done\n"'
for class in Net::OAuth2::Profile::WebServer Patient; do
  rm -f port; python3 server.py & server=$!
  for _ in $(seq 50); do [ -s port ] && break; sleep 0.1; done
  echo "$class:"; perl try.pl "$(cat port)" "$class"
  kill "$server"; wait "$server" 2>/dev/null || true
done > out
cat out
diff out - <<'END' && echo "SEEN: a refresh without expires_in loses the new pair" || { echo "NO LONGER SEEN"; exit 1; }
Net::OAuth2::Profile::WebServer:
login: holds rt1
call: 401
refresh: no expires_in found in refresh data, holds rt1
refresh: invalid_grant, holds rt1
call: 401
Patient:
login: holds rt1
call: 401
refresh: done, holds rt2
refresh: done, holds rt3
call: 200
END
