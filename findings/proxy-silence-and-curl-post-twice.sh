#!/usr/bin/env bash
# HAProxy and Apache say nothing when a backend dies on a later request; curl then posts a second time.
#
# Software: HAProxy 2.6.12-1+deb12u4, Apache httpd 2.4.71-1~deb12u1 and nginx 1.22.1-9+deb12u11 (Debian 12),
#           curl and libcurl 7.88.1-10+deb12u15. Default retry settings everywhere.
# What is run: a token service rotates refresh token R1 and dies before its answer. In front of it is one
#   of the proxies. The client posts two refreshes on one kept-alive connection: R0, then R1.
# What a good engineer would guess: the proxy answers 502, the client shows 502, the service saw R1 once.
#   None of the proxies repeats a POST by default, and no --retry is given to curl.
# What happens: nginx answers 502. HAProxy and Apache answer 502 only for the FIRST request of a client's
#   connection. For a later one they close the client's connection without a byte. That is just how a
#   stale kept-alive connection looks, so curl opens a new one and posts R1 again, without a word.
#   The service sees R1 twice, and the client is shown "invalid_grant" for a refresh that was done.
# What follows: "my proxy does not retry POST" and "my client does not retry POST" can both be right as
#   settings, and the POST is still sent twice. It depends on whether an earlier request used the connection,
#   so a test with one request never shows it. The client has no 502 in its log to explain the lost grant.
# How to avoid it: ask for the refresh on a connection of its own (curl: CURLOPT_FRESH_CONNECT, or
#   "Connection: close" in the request before); let the service accept the last token for a short while.
set -euo pipefail
T=$(mktemp -d); chmod 755 "$T"; PIDS=
stop() { for p in $PIDS; do kill "$p" 2>/dev/null || true; done; wait 2>/dev/null || true; PIDS=; }
trap 'stop; rm -rf "$T"' EXIT
cd "$T"; mkdir debs root
for p in haproxy=2.6.12-1+deb12u4 apache2-bin=2.4.71-1~deb12u1 nginx=1.22.1-9+deb12u11 curl=7.88.1-10+deb12u15 \
  libcurl4=7.88.1-10+deb12u15 liblua5.3-0=5.3.6-2 libopentracing1=1.6.0-4 libopentracing-c-wrapper0=1.1.3-3+b1 \
  libapr1=1.7.2-3+deb12u1 libaprutil1=1.6.3-1+deb12u1; do
  (cd debs && apt-get download -q "$p" >/dev/null 2>&1) || { echo "cannot get the Debian package $p (try apt-get update)"; exit 2; }
done
for d in debs/*.deb; do dpkg -x "$d" root; done
export LD_LIBRARY_PATH=$T/root/usr/lib/x86_64-linux-gnu
cat > service.py <<'X'
# A token service with two refresh tokens. R1 is rotated, then the connection is lost before the answer.
import socket, sys, threading
server = socket.create_server(("127.0.0.1", int(sys.argv[1]))); valid = {"R0", "R1"}
def serve(c):
    f = c.makefile("rb")
    while f.readline():
        length = 0
        while (line := f.readline().strip()):
            if line.lower().startswith(b"content-length:"): length = int(line.split(b":")[1])
        token = f.read(length).decode().rpartition("=")[2]
        fresh = token in valid; valid.discard(token)
        open("seen", "a").write(f"{token} {'rotated' if fresh else 'refused'}\n")
        if fresh and token == "R1": break                       # the work is done; the answer is lost
        status, body = ("200 OK", '{"access_token":"A"}') if fresh else ("400 Bad Request", '{"error":"invalid_grant"}')
        c.sendall(f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
    f.close(); c.close()
while True: threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
X
free() { python3 -c 'import socket; s=socket.socket(); s.bind(("127.0.0.1",0)); print(s.getsockname()[1])'; }
up() { for _ in $(seq 100); do (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return; sleep 0.1; done; echo "nothing listens on port $1"; exit 2; }
run() { # proxy -> answers of curl in $GOT, what the service saw in $SEEN
  S=$(free); F=$(free); rm -f seen; python3 service.py "$S" & PIDS=$!; up "$S"
  case $1 in
  haproxy) printf 'defaults\n mode http\n timeout connect 2s\n timeout client 9s\n timeout server 5s\nlisten p\n bind 127.0.0.1:%s\n server s 127.0.0.1:%s\n' "$F" "$S" > ha.cfg
    root/usr/sbin/haproxy -db -f ha.cfg >/dev/null 2>&1 & ;;
  apache) M=$T/root/usr/lib/apache2/modules; cat > ap.conf <<X
ServerRoot $T
Listen 127.0.0.1:$F
ServerName localhost
PidFile $T/ap.pid
DefaultRuntimeDir $T
ErrorLog $T/ap.log
User nobody
Group nogroup
LoadModule mpm_event_module $M/mod_mpm_event.so
LoadModule authz_core_module $M/mod_authz_core.so
LoadModule proxy_module $M/mod_proxy.so
LoadModule proxy_http_module $M/mod_proxy_http.so
ProxyPass / http://127.0.0.1:$S/
X
    root/usr/sbin/apache2 -f "$T/ap.conf" -DFOREGROUND >/dev/null 2>&1 & ;;
  nginx) cat > ng.conf <<X
daemon off; master_process off; pid $T/ng.pid; error_log $T/ng.log; events {}
http { access_log off; client_body_temp_path $T/n1; proxy_temp_path $T/n2; fastcgi_temp_path $T/n3; uwsgi_temp_path $T/n4; scgi_temp_path $T/n5;
  upstream s { server 127.0.0.1:$S; keepalive 4; }
  server { listen 127.0.0.1:$F; location / { proxy_pass http://s; proxy_http_version 1.1; proxy_set_header Connection ""; } } }
X
    root/usr/sbin/nginx -p "$T/" -c "$T/ng.conf" >/dev/null 2>&1 & ;;
  esac
  PIDS="$PIDS $!"; up "$F"; U=http://127.0.0.1:$F/token
  post() { printf '%s\n' -s -o "body$1" -w "%{http_code} " --max-time 10 -d "grant_type=refresh_token&refresh_token=$1" "$U"; }
  mapfile -t A < <(post R0); mapfile -t B < <(post R1)
  root/usr/bin/curl "${B[@]}" > alone || true; ALONE="$(cat alone)service saw: $(tr '\n' ' ' < seen)"
  kill "${PIDS%% *}"; sleep 0.3; rm -f seen; python3 service.py "$S" & PIDS="$PIDS $!"; up "$S"   # a service with a valid R1 again
  root/usr/bin/curl "${A[@]}" --next "${B[@]}" > both || true; BODY=$(grep -o 'invalid_grant' bodyR1 || true)
  GOT=$(cat both); SEEN=$(grep -c '^R1' seen || true); stop
  printf '%s\n' "$1:" "  R1 alone on its connection: curl shows $ALONE" "  R0 then R1: curl shows $GOT$BODY; service saw: $(tr '\n' ' ' < seen)"
}
echo "guess: curl shows '200 502' and the service saw R1 once, whichever proxy is in front"
echo "versions: $(root/usr/sbin/haproxy -v | head -1 | cut -d' ' -f1-3), Apache 2.4.71, nginx 1.22.1, $(root/usr/bin/curl --version | head -1 | cut -d' ' -f1-4)"
bad=0
run nginx;   [ "$GOT" = "200 502 " ] && [ "$SEEN" = 1 ] || bad=1
for p in haproxy apache; do
  run $p; [[ "$ALONE" == "502 "* ]] && [ "$GOT" = "200 400 " ] && [ "$BODY" = invalid_grant ] && [ "$SEEN" = 2 ] || bad=1
done
[ $bad = 0 ] || { echo "CHANGED: the behaviour is no longer seen"; exit 1; }
echo "SEEN: behind HAProxy and Apache the second POST of a connection reaches the service twice"
