#!/usr/bin/env bash
# Software: emailproxy 2026.7.3 (PyPI, "Email OAuth 2.0 Proxy"), without its window.
#
# What was run: a mail program opens connections through the proxy, with the access token near its end: first
# one connection (which asks for the first login), then two at the same moment, then four. The token endpoint
# needs two seconds for an answer and rotates strictly. The mail server and the endpoint are in this script.
#
# A good engineer would guess: the connections of one account share one refresh. If they race, then two are as
# bad as four: the losers fail or try again with the new pair.
#
# What happens: two connections are well. The loser's refusal makes the proxy drop the access token, keep the
# refresh token, which by then is the new one, and try again: that works. With four, two connections lose. The
# first loser drops the access token; the second finds it gone, and takes this as the sign of a second failure
# of its own. So it removes the refresh token from the file: the new one, which no one has tried. From here on
# every connection asks the person for a login. A mail program may well open five connections to one account.
#
# What follows: a test with one or two connections passes for months. The count of failures is kept as "is
# there an access token?", in a place that all connections share, so a third party can complete the count.
#
# How to avoid: let the mail program use one connection for an account, or put the refresh behind a command
# that takes a lock. In a client of your own: after a refusal look first whether the store has another
# refresh token than the one refused, and count failures per token and per attempt.
set -euo pipefail
dir=$(mktemp -d); trap 'kill "${server:-}" "${proxy:-}" 2>/dev/null; wait; rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check emailproxy==2026.7.3 cryptography==50.0.2 prompt_toolkit==3.0.53
openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=localhost \
  -addext subjectAltName=DNS:localhost 2>/dev/null
cat > server.py <<'PY'
import http.server, json, socket, socketserver, ssl, threading, time, urllib.parse
live, count, lock = None, 0, threading.Lock()
class Web(http.server.BaseHTTPRequestHandler):
    def log_message(self, *a): pass
    def answer(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers(); self.wfile.write(data)
    def do_GET(self):                                    # the start of a device login
        print("LOGIN wanted", flush=True)
        self.answer(200, {"device_code": "d", "user_code": "U", "verification_uri": "http://127.0.0.1/",
                          "interval": 1, "expires_in": 60})
    def do_POST(self):
        global live, count
        q = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        spent = q.get("refresh_token")
        time.sleep(2)
        with lock:
            if spent and spent != live:
                print("refresh with", spent, "-> invalid_grant", flush=True)
                return self.answer(400, {"error": "invalid_grant"})
            count += 1; live = f"rt{count}"
            print(f"refresh with {spent} -> {live}" if spent else f"the person logs in -> {live}", flush=True)
            body = {"access_token": f"at{count}", "refresh_token": live, "token_type": "Bearer"}
        self.answer(200, body | {"expires_in": 601})     # the proxy refreshes 600 seconds before the end
class Imap(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(b"* OK ready\r\n")
        for line in self.rfile:
            if b"CAPABILITY" in line: self.wfile.write(b"* CAPABILITY IMAP4rev1 AUTH=XOAUTH2 SASL-IR\r\n")
            self.wfile.write(line.split()[0] + b" OK done\r\n")
class Tls(socketserver.ThreadingTCPServer):
    daemon_threads = True
    def get_request(self):
        s, a = super().get_request()
        return context.wrap_socket(s, server_side=True), a
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); context.load_cert_chain("cert.pem", "key.pem")
imap = Tls(("127.0.0.1", 0), Imap); threading.Thread(target=imap.serve_forever, daemon=True).start()
web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Web)
free = socket.create_server(("127.0.0.1", 0)); port = free.getsockname()[1]; free.close()
open("ports", "w").write(f"{web.server_port} {imap.server_address[1]} {port}\n")
web.serve_forever()
PY
python3 server.py >> log & server=$!
for _ in $(seq 50); do [ -s ports ] && break; sleep 0.1; done
read -r web imap port < ports
cat > proxy.config <<CONF
[IMAP-$port]
server_address = localhost
server_port = $imap
local_address = 127.0.0.1

[anna@example.com]
permission_url = http://127.0.0.1:$web/device
token_url = http://127.0.0.1:$web/token
oauth2_scope = mail offline_access
oauth2_flow = device
redirect_uri = http://localhost
client_id = k
client_secret = s
CONF
SSL_CERT_FILE=$dir/cert.pem venv/bin/emailproxy --no-gui --external-auth --config-file proxy.config \
  --log-file proxy.log > out.txt 2>&1 < /dev/null & proxy=$!
for _ in $(seq 100); do (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break; sleep 0.2; done
cat > mail.py <<'PY'
import imaplib, sys, threading
def connect():
    try: imaplib.IMAP4("127.0.0.1", int(sys.argv[1]), timeout=60).login("anna@example.com", "password")
    except Exception as e: print("  a connection failed:", e)
threads = [threading.Thread(target=connect, daemon=True) for _ in range(int(sys.argv[2]))]
for t in threads: t.start()
for t in threads: t.join(60)
PY
for n in 1 2 4; do
  sleep 2; echo "-- connections at once: $n" >> log
  python3 mail.py "$port" "$n"
done
venv/bin/pip list --disable-pip-version-check 2>/dev/null | grep emailproxy
echo "expected: LOGIN wanted once, for the first connection"
echo "seen by the server:"; cat log
two=$(sed -n '/once: 2/,/once: 4/p' log); four=$(sed -n '/once: 4/,$p' log)
[ "$(grep -c invalid_grant <<< "$two")" = 1 ] && ! grep -q LOGIN <<< "$two" && grep -q invalid_grant <<< "$four" \
  && grep -q LOGIN <<< "$four" && echo "SEEN: two connections are well; with four a good refresh token is thrown away" \
  || { echo "NO LONGER SEEN"; exit 1; }
