#!/usr/bin/env bash
# Software: rclone 1.60.1+dfsg-2+b5 (Debian 12), with the backend HiDrive, whose endpoints can be set. What is seen is in the part
# that all backends with OAuth share.
#
# What was run: a remote that consists of environment variables alone, RCLONE_CONFIG_MY_TYPE, ..._TOKEN and so on, as containers and
# scheduled jobs have it. The token endpoint rotates. `rclone lsd my:` twice; before the first run the access token has expired.
#
# A good engineer would guess: what comes from the environment cannot be written back, so the first run says that the new refresh token
# is lost, or refuses; or it stores the token in its configuration file, and the second run takes it from there.
#
# What happens: the first run stores the new pair in the configuration file, and says nothing. The second one reads the token from the
# environment, which goes before the file, although the file is there and newer. The access token in the file lives for an hour
# more; it is not used either. The spent refresh token is sent ten times, with a second between them, and rclone ends with status 1.
#
# What follows: a job of this kind works exactly once, and its first run, the one that somebody watches, is the one that works. A
# server that ends the grant when a spent token comes again has ended it by then, and the pair in the file, too.
#
# How to avoid: put everything but the token into the environment, and the token into a file that lasts (RCLONE_CONFIG on a
# volume). Use the variable once at most, to create that file.
set -euo pipefail
dir=$(mktemp -d); server=
trap 'kill $server 2>/dev/null || true; rm -rf "$dir"' EXIT
cd "$dir"
apt-get download -q rclone=1.60.1+dfsg-2+b5 >/dev/null 2>&1 || { echo "cannot get the Debian package rclone (try apt-get update)"; exit 2; }
dpkg -x rclone_*.deb root
cat > server.py <<'X'
import http.server, json, urllib.parse

newest = 1

class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_): pass
    def answer(self, status, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_POST(self):
        global newest
        form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        sent = form["refresh_token"][0]
        valid = sent == f"R{newest}"
        print(sent, "rotated" if valid else "refused", flush=True)
        if not valid: return self.answer(400, {"error": "invalid_grant"})
        newest += 1
        self.answer(200, {"access_token": f"A{newest}", "token_type": "Bearer", "expires_in": 3600, "refresh_token": f"R{newest}"})
    def do_GET(self):
        self.answer(200, {"id": "b1", "path": "/", "name": "root", "type": "dir", "members": [], "nmembers": 0})

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
with open("port", "w") as file: print(server.server_port, file=file)
server.serve_forever()
X
: > requests; python3 server.py >> requests & server=$!
until [[ -s port ]]; do sleep 0.1; done
url=http://127.0.0.1:$(<port)
export RCLONE_CONFIG=$dir/rclone.conf RCLONE_CONFIG_MY_TYPE=hidrive RCLONE_CONFIG_MY_CLIENT_ID=id RCLONE_CONFIG_MY_CLIENT_SECRET=secret \
  RCLONE_CONFIG_MY_ENDPOINT=$url RCLONE_CONFIG_MY_TOKEN_URL=$url/token \
  RCLONE_CONFIG_MY_TOKEN='{"access_token":"A1","token_type":"Bearer","refresh_token":"R1","expiry":"2020-01-01T00:00:00Z"}'
for run in 1 2; do
  : > requests; status=0
  root/usr/bin/rclone lsd my: --retries 1 > log 2>&1 || status=$?
  echo "run $run: status $status, $(grep -ci token log || true) lines about tokens; sent $(sort requests | uniq -c | xargs); file has $(grep -o '"R[0-9]"' rclone.conf)"
done | tee output
diff output - <<'X'
run 1: status 0, 0 lines about tokens; sent 1 R1 rotated; file has "R2"
run 2: status 1, 1 lines about tokens; sent 10 R1 refused; file has "R2"
X
