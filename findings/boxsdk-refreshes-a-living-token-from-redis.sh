#!/usr/bin/env bash
# Software: boxsdk 3.14.0 (PyPI, the last release of its major version) with redis-py 5.2.1 and redis-server 7.0.15 (Debian 12), Python 3.11.
#
# What was run: two processes share a login by `RedisManagedOAuth2`: the same `unique_id`, and a Redis client with its defaults, as
# the class makes one itself if none is given. The first has stored its pair in Redis; its access token lives. The second one starts and asks for the
# user. Then the first one asks, twice. A server on loopback stands in for Box, and rotates.
#
# A good engineer would guess: the second process takes the living access token from Redis, and no refresh is sent.
#
# What happens: a Redis client returns bytes unless told otherwise, and they go into the header as Python writes them: the second
# process sends "Bearer b'A1'". The API answers 401, the second process refreshes, and the pair that lived is spent. Now the first one's
# access token is refused. It looks into Redis, finds bytes, which never equal its own text, and concludes that somebody has refreshed.
# That is even true here, but it sends "Bearer b'A2'", is refused again, and gives the 401 to its caller. The call after that refreshes.
#
# What follows: each start of a process, and each turn from one process to the other, costs a rotation, refused requests and a failed
# call. With a provider that ends the old access token at once, busy processes refresh in turns without end. It all looks as if tokens
# expired early.
#
# How to avoid: `redis_server=Redis(decode_responses=True)`.
set -euo pipefail
dir=$(mktemp -d); pids=
trap 'kill $pids 2>/dev/null || true; rm -rf "$dir"' EXIT
cd "$dir"
mkdir debs root
for package in redis-server=5:7.0.15-1~deb12u10 redis-tools=5:7.0.15-1~deb12u10 libjemalloc2=5.3.0-1 liblzf1=3.6-3; do
  (cd debs && apt-get download -q "$package" >/dev/null 2>&1) || { echo "cannot get the Debian package $package (try apt-get update)"; exit 2; }
done
for package in debs/*.deb; do dpkg -x "$package" root; done
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check --cache-dir "$dir/pip" boxsdk==3.14.0 redis==5.2.1
LD_LIBRARY_PATH=$dir/root/usr/lib/x86_64-linux-gnu root/usr/bin/redis-server --port 0 --unixsocket "$dir/redis" --save "" >/dev/null & pids=$!
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
        print(f"refresh with {sent}: {'rotated' if valid else 'refused'}", flush=True)
        if not valid: return self.answer(400, {"error": "invalid_grant"})
        newest += 1
        self.answer(200, {"access_token": f"A{newest}", "token_type": "bearer", "expires_in": 3600, "refresh_token": f"R{newest}"})
    def do_GET(self):
        sent = self.headers["Authorization"]
        valid = sent == f"Bearer A{newest}"
        print(f"API with {sent}: {200 if valid else 401}", flush=True)
        self.answer(200 if valid else 401, {"type": "user", "id": "1"})

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
with open("port", "w") as file: print(server.server_port, file=file)
server.serve_forever()
X
: > requests; python3 server.py >> requests & pids+=" $!"
until [[ -s port && -S redis ]]; do sleep 0.1; done
cat > processes.py <<'X'
import logging, sys
from boxsdk import Client
from boxsdk.auth.redis_managed_oauth2 import RedisManagedOAuth2
from boxsdk.config import API
from boxsdk.exception import BoxAPIException
from redis import Redis

logging.disable(logging.CRITICAL)
API.BASE_API_URL = API.OAUTH2_API_URL = f"http://127.0.0.1:{open('port').read().strip()}"

def process(**tokens):
    return RedisManagedOAuth2(client_id="id", client_secret="secret", unique_id="user", redis_server=Redis(unix_socket_path="redis"), **tokens)

def ask(who, auth):
    print(f"-- {who} asks", file=requests, flush=True)
    try: Client(auth).user().get()
    except BoxAPIException as error: print("-- failed with", error.status, file=requests, flush=True)

requests = open("requests", "a")
first = process(access_token="A1", refresh_token="R1")
first._store_tokens("A1", "R1")  # as a login does
ask("the first process", first)
second = process()
ask("the second process", second)
for _ in range(2): ask("the first process", first)
X
python/bin/python processes.py
cat requests
diff requests - <<'X'
-- the first process asks
API with Bearer A1: 200
-- the second process asks
API with Bearer b'A1': 401
refresh with R1: rotated
API with Bearer A2: 200
-- the first process asks
API with Bearer A1: 401
API with Bearer b'A2': 401
-- failed with 401
-- the first process asks
API with Bearer b'A2': 401
refresh with R2: rotated
API with Bearer A3: 200
X
