#!/usr/bin/env bash
# A server's "103 Early Hints" or "102 Processing" is taken for the whole answer; the token answer is lost.
#
# Software: the http module of Node 20 as the server (writeEarlyHints, writeProcessing); nginx 1.22.1-9+deb12u11;
#   clients: requests 2.34.2 (on Python's http.client), Perl's LWP 6.68 (libwww-perl 6.68-1, libnet-http-perl 6.22-1),
#   undici 7.10.0, and httpx 0.28.1 and curl for contrast.
# What is run: a token endpoint sends an interim answer at once and its real 200 with the token 0.5 s later.
#   The interim statuses are valid in HTTP/1.1: any number of 1xx may come before the final answer.
# What a good engineer would guess: clients and proxies skip or pass on 1xx and wait for the 200.
# What happens: requests returns "103" with an empty body, and response.ok is True, so raise_for_status is silent.
#   LWP returns 103 as well. Both skip only "100". undici fails on an unasked "100 Continue" ("bad response")
#   but is fine with 102 and 103. nginx passes the 103 on as if it were final: the 200 with the token never
#   comes out, so that a client that does wait for it (httpx, curl) has an error after nginx's read timeout.
# What follows: the service has spent the refresh token once and answered 200; the client has neither an error
#   nor a token. A check of "status < 400" stores nothing and goes on.
# How to avoid it: treat any status but 200 from a token endpoint as "not an answer"; let no middleware send 1xx
#   on POST routes; in front of nginx 1.22 switch early hints off.
set -euo pipefail
T=$(mktemp -d); chmod 755 "$T"; PIDS=
trap 'for p in $PIDS; do kill "$p" 2>/dev/null || true; done; rm -rf "$T"' EXIT
cd "$T"; mkdir debs root
for p in nginx=1.22.1-9+deb12u11 libwww-perl=6.68-1 libnet-http-perl=6.22-1 libhttp-message-perl=6.44-1 \
  libhttp-date-perl=6.05-2 liburi-perl=5.17-1 liblwp-mediatypes-perl=6.04-2 libfile-listing-perl=6.15-1 \
  libhtml-parser-perl=3.81-1+deb12u1 libhtml-tagset-perl=3.20-6 libencode-locale-perl=1.05-3 libtry-tiny-perl=0.31-2 \
  libio-html-perl=1.004-3 libhttp-cookies-perl=6.10-1 libtimedate-perl=2.3300-2 libclone-perl=0.46-1; do
  (cd debs && apt-get download -q "$p" >/dev/null 2>&1) || { echo "cannot get the Debian package $p (try apt-get update)"; exit 2; }
done
for d in debs/*.deb; do dpkg -x "$d" root; done
python3 -m venv v && v/bin/pip -q --disable-pip-version-check install requests==2.34.2 urllib3==2.8.0 httpx==0.28.1
npm install --silent --no-audit --no-fund --prefix "$T" undici@7.10.0 >/dev/null
cat > service.js <<'X'
const fs = require('fs');
const server = require('http').createServer((req, res) => {
  req.resume().on('end', () => {
    fs.appendFileSync('seen', req.url + '\n');
    if (req.url === '/103') res.writeEarlyHints({ link: '</style.css>; rel=preload' });
    if (req.url === '/102') res.writeProcessing();
    if (req.url === '/100') res.writeContinue();
    setTimeout(() => { res.setHeader('Content-Type', 'application/json'); res.end('{"access_token":"A1"}'); }, 500);
  });
});
server.listen(0, '127.0.0.1', () => fs.writeFileSync('port', String(server.address().port)));
X
cat > c_requests.py <<'X'
import requests, sys
r = requests.post(sys.argv[1], data={"grant_type": "refresh_token"}, timeout=9); r.raise_for_status(); print(r.status_code, "ok" if r.ok else "-", r.text)
X
cat > c_httpx.py <<'X'
import httpx, sys
try: r = httpx.post(sys.argv[1], data={"grant_type": "refresh_token"}, timeout=9); print(r.status_code, r.text)
except httpx.HTTPError as e: print("error", type(e).__name__)
X
cat > c_lwp.pl <<'X'
use LWP::UserAgent; my $r = LWP::UserAgent->new(timeout => 9)->post($ARGV[0], {grant_type => "refresh_token"}); print $r->code, " ", $r->content, "\n";
X
cat > c_undici.mjs <<'X'
import { request } from 'undici';
try { const r = await request(process.argv[2], { method: 'POST', body: 'grant_type=refresh_token' }); console.log(r.statusCode, await r.body.text()); }
catch (e) { console.log('error', e.message); }
X
node service.js & PIDS=$!; for _ in $(seq 100); do [ -s port ] && break; sleep 0.1; done; S=http://127.0.0.1:$(cat port)
N=$(python3 -c 'import socket; s=socket.socket(); s.bind(("127.0.0.1",0)); print(s.getsockname()[1])')
cat > ng.conf <<X
daemon off; master_process off; pid $T/ng.pid; error_log $T/ng.log; events {}
http { access_log off; client_body_temp_path $T/n1; proxy_temp_path $T/n2; fastcgi_temp_path $T/n3; uwsgi_temp_path $T/n4; scgi_temp_path $T/n5;
  server { listen 127.0.0.1:$N; location / { proxy_pass $S; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_read_timeout 3s; } } }
X
root/usr/sbin/nginx -p "$T/" -c "$T/ng.conf" >/dev/null 2>&1 & PIDS="$PIDS $!"; sleep 1; N=http://127.0.0.1:$N
export PERL5LIB=$T/root/usr/share/perl5:$T/root/usr/lib/x86_64-linux-gnu/perl5/5.36
echo "guess: every line below ends in: 200 {\"access_token\":\"A1\"}"
echo "versions: node $(node -v), Python $(python3 -V | cut -d' ' -f2), $(curl -V | head -1 | cut -d' ' -f1,2), nginx 1.22.1, requests 2.34.2, LWP 6.68, undici 7.10.0, httpx 0.28.1"
bad=0
row() { # what is expected now, label, command...
  local want=$1 label=$2 got; shift 2; rm -f seen; got=$(timeout 20 "$@" 2>&1 || true); got="${got% }"
  echo "  $label: $got   (the service saw $(wc -l < seen) POST)"
  [ "$got" = "$want" ] && [ "$(wc -l < seen)" = 1 ] || { echo "    expected by this script: $want"; bad=1; }
}
OK='200 {"access_token":"A1"}'
post() { curl -s -m 9 -d grant_type=refresh_token -w ' %{http_code} curl-exit=%{exitcode}' "$1"; }; export -f post
for s in 103 102; do
  row "$s ok" "requests, $s first" v/bin/python c_requests.py $S/$s
  row "$s" "LWP, $s first" perl c_lwp.pl $S/$s
  row "$OK" "undici, $s first" node c_undici.mjs $S/$s
  row "$OK" "httpx, $s first" v/bin/python c_httpx.py $S/$s
done
row "200 ok {\"access_token\":\"A1\"}" "requests, 100 first" v/bin/python c_requests.py $S/100
row "error bad response" "undici, 100 first" node c_undici.mjs $S/100
row "$OK" "httpx, 100 first" v/bin/python c_httpx.py $S/100
row "error RemoteProtocolError" "httpx through nginx, 103 first" v/bin/python c_httpx.py $N/103
row " 103 curl-exit=52" "curl through nginx, 103 first" bash -c "post $N/103"
row "103 ok" "requests through nginx, 103 first" v/bin/python c_requests.py $N/103
[ $bad = 0 ] || { echo "CHANGED: the behaviour is no longer seen"; exit 1; }
echo "SEEN: requests, LWP and nginx take an interim answer for the final one; undici fails on an unasked 100"
