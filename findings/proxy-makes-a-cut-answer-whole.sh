#!/usr/bin/env bash
# Caddy, h2o and lighttpd turn an answer that was cut off into a complete one; the client cannot see the cut.
#
# Software (Debian 12): Caddy 2.6.2-5, h2o 2.2.5+dfsg2-7, lighttpd 1.4.69-1 (mod_proxy); contrast: nginx
#   1.22.1-9+deb12u11 and HAProxy 2.6.12-1+deb12u4. The client is curl.
# What is run: a token service answers 200 in chunks, form-encoded as some providers do, and its process dies
#   after the first chunk: the last chunk of length 0, which says "complete", is never sent.
# What a good engineer would guess: the proxy has sent the 200 already, so it breaks the client's connection
#   without the last chunk. Every HTTP/1.1 client then reports a broken transfer (curl: exit 18).
# What happens: nginx and HAProxy do that. Caddy and h2o send the last chunk themselves. lighttpd collects the
#   part it has and sends it with a Content-Length that fits. The client sees a complete 200 with half a body.
#   An answer with a Content-Length of its own is cut visibly by all five.
# What follows: "the connection broke, so the outcome is unknown" is never seen behind these proxies. JSON fails to
#   parse ("the server sent rubbish"), a form-encoded body parses, and gives a token that is too short.
# How to avoid it: send a token answer with Content-Length, never in chunks; check that all expected fields are
#   there before anything is stored, and treat a 200 that does not parse as "outcome unknown".
set -euo pipefail
T=$(mktemp -d); chmod 755 "$T"; PIDS=; SERVICE=
stop() { for p in $PIDS; do kill "$p" 2>/dev/null || true; wait "$p" 2>/dev/null || true; done; PIDS=; }
trap 'stop; [ -z "$SERVICE" ] || kill "$SERVICE" 2>/dev/null || true; rm -rf "$T"' EXIT
cd "$T"; mkdir debs root h
for p in caddy=2.6.2-5 h2o=2.2.5+dfsg2-7 lighttpd=1.4.69-1 nginx=1.22.1-9+deb12u11 haproxy=2.6.12-1+deb12u4 \
  liblua5.3-0=5.3.6-2 libopentracing1=1.6.0-4 libopentracing-c-wrapper0=1.1.3-3+b1 libnghttp2-14=1.52.0-1+deb12u3; do
  (cd debs && apt-get download -q "$p" >/dev/null 2>&1) || { echo "cannot get the Debian package $p (try apt-get update)"; exit 2; }
done
for d in debs/*.deb; do dpkg -x "$d" root; done
export LD_LIBRARY_PATH=$T/root/usr/lib/x86_64-linux-gnu HOME=$T/h
cat > service.py <<'X'
# /chunks: dies after the first of two chunks. /length: announces 43 bytes and dies after 21. /whole: complete.
import socket, threading, time
whole = b"access_token=gho_AAAABBBB&token_type=bearer"; server = socket.create_server(("127.0.0.1", 0))
open("port", "w").write(str(server.getsockname()[1]))
def serve(c):
    f = c.makefile("rb")
    while line := f.readline():
        path = line.split()[1].decode(); length = 0
        while (head := f.readline().strip()):
            if head.lower().startswith(b"content-length:"): length = int(head.split(b":")[1])
        f.read(length); start = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        if path == "/chunks": c.sendall(start + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (21, whole[:21])); time.sleep(0.3); break
        if path == "/length": c.sendall(start + b"Content-Length: 43\r\n\r\n" + whole[:21]); time.sleep(0.3); break
        c.sendall(start + b"Transfer-Encoding: chunked\r\n\r\n2b\r\n" + whole + b"\r\n0\r\n\r\n")
    f.close(); c.close()
while True: threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
X
python3 service.py & SERVICE=$!
for _ in $(seq 50); do [ -s port ] && break; sleep 0.1; done; S=$(cat port)
free() { python3 -c 'import socket; s=socket.socket(); s.bind(("127.0.0.1",0)); print(s.getsockname()[1])'; }
up() { for _ in $(seq 100); do (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return; sleep 0.1; done; echo "nothing listens on port $1"; exit 2; }
get() { local rc=0; curl -s -m 15 -d grant_type=refresh_token -w ' (status %{http_code})' "http://127.0.0.1:$F$1" > out || rc=$?; echo "curl exit $rc: $(cat out)"; }
bad=0
run() { # proxy, curl's exit code on a cut in chunks
  F=$(free)
  case $1 in
  caddy) printf '{\n admin off\n auto_https off\n}\nhttp://127.0.0.1:%s {\n bind 127.0.0.1\n reverse_proxy 127.0.0.1:%s\n}\n' "$F" "$S" > Caddyfile
    root/usr/bin/caddy run --config Caddyfile --adapter caddyfile >log 2>&1 & ;;
  h2o) cat > h2o.conf <<X
listen: {host: 127.0.0.1, port: $F}
user: root
hosts: {default: {paths: {"/": {proxy.reverse.url: "http://127.0.0.1:$S/"}}}}
X
    root/usr/bin/h2o -m worker -c h2o.conf >log 2>&1 & ;;
  lighttpd) cat > lt.conf <<X
server.modules = ("mod_proxy")
server.bind = "127.0.0.1"
server.port = $F
server.document-root = "$T/h"
server.upload-dirs = ("$T/h")
proxy.server = ("/" => (("host" => "127.0.0.1", "port" => $S)))
X
    root/usr/sbin/lighttpd -D -m root/usr/lib/lighttpd -f lt.conf >log 2>&1 & ;;
  nginx) cat > ng.conf <<X
daemon off; master_process off; pid $T/ng.pid; error_log $T/ng.log; events {}
http { access_log off; client_body_temp_path $T/n1; proxy_temp_path $T/n2; fastcgi_temp_path $T/n3; uwsgi_temp_path $T/n4; scgi_temp_path $T/n5;
  server { listen 127.0.0.1:$F; location / { proxy_pass http://127.0.0.1:$S; proxy_http_version 1.1; } } }
X
    root/usr/sbin/nginx -p "$T/" -c "$T/ng.conf" >log 2>&1 & ;;
  haproxy) printf 'defaults\n mode http\n timeout connect 2s\n timeout client 9s\n timeout server 5s\nlisten p\n bind 127.0.0.1:%s\n server s 127.0.0.1:%s\n' "$F" "$S" > ha.cfg
    root/usr/sbin/haproxy -db -f ha.cfg >log 2>&1 & ;;
  esac
  PIDS=$!; up "$F"; W=$(get /whole); C=$(get /chunks); L=$(get /length); stop
  printf '%s\n' "$1:" "  whole answer           $W" "  cut in chunks          $C" "  cut before its length  $L"
  [[ "$W" == "curl exit 0: access_token=gho_AAAABBBB&token_type=bearer (status 200)" ]] && [[ "$C" == "curl exit $2: access_token=gho_AAAA (status 200)" ]] \
    && [[ "$L" != "curl exit 0:"* ]] || { bad=1; echo "    expected by this script: curl exit $2 on a cut in chunks, and a failure on a cut length"; }
}
echo "guess: a cut answer gives curl exit 18 (broken transfer) behind every proxy"
echo "versions: Caddy 2.6.2, h2o 2.2.5, lighttpd 1.4.69, nginx 1.22.1, HAProxy 2.6.12, $(curl -V | head -1 | cut -d' ' -f1,2)"
run nginx 18; run haproxy 18
run caddy 0; run h2o 0; run lighttpd 0
[ $bad = 0 ] || { echo "CHANGED: the behaviour is no longer seen"; exit 1; }
echo "SEEN: behind Caddy, h2o and lighttpd half a token answer arrives as a complete 200"
