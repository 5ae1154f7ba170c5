#!/usr/bin/env bash
# Software: httpx-auth 0.23.1 with httpx 0.28.1 (PyPI), its `OAuth2AuthorizationCode` and its `JsonTokenFileCache`.
#
# What was run: the cache file of a program holds, for three providers, an expired access token and a good refresh token. First:
# two threads call the first API at the same moment; its token service refreshes, and takes a second for it. Then the second API: its
# token service answers 503 to the first refresh and is well from then on; the program calls it twice. At last a third API. The browser is a script that
# notes each address and does nothing.
#
# A good engineer would guess: at the same moment, one refreshes and the other waits for the new token; the library has two locks
# for that. A 503 is an error of this call, and the next call refreshes.
#
# What happens: a call takes the expired entry out of the cache before it refreshes. The other thread finds none, waits for the
# lock, does not look again, and opens the browser, although the new token is there. Every status above 399 counts as "the
# refresh token is invalid", so the 503 opens the browser too, and the entry is gone: the second call does not refresh, and
# opens the browser again. The next write of the file leaves the entry out, whatever it is written for.
#
# What follows: a program without a person waits for a browser, one minute by default, then raises `TimeoutOccurred`. One 503 loses
# the grant in memory, and in the file as soon as another grant is refreshed.
#
# How to avoid: one call at a time around the expiry. Keep refresh tokens in a place of your own, and put the entry back after an error.
set -euo pipefail
dir=$(mktemp -d); service=; trap '[ -z "$service" ] || kill "$service" 2>/dev/null || true; rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv python; python/bin/pip install --quiet --disable-pip-version-check httpx-auth==0.23.1 httpx==0.28.1
cat > service.py <<'X'
import http.server, json, pathlib, time, urllib.parse
counts = {"slow": 0, "ill": 0, "third": 0}
class Service(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        name = self.path.split("/")[1]; counts[name] += 1
        with open("seen", "a") as seen: seen.write(f"{name} {form['refresh_token'][0]}\n")
        if name == "slow": time.sleep(1)
        status = 503 if name == "ill" and counts[name] == 1 else 200
        body = json.dumps({"access_token": "A2", "token_type": "bearer", "expires_in": 3600, "refresh_token": "R2"}).encode() if status == 200 else b"{}"
        self.send_response(status); self.send_header("Content-Length", str(len(body))); self.end_headers(); self.wfile.write(body)
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
pathlib.Path("port").write_text(str(server.server_address[1])); server.serve_forever()
X
python3 service.py & service=$!
for _ in $(seq 50); do [ -s port ] && break; sleep 0.1; done
printf '#!/bin/sh\necho "$1" >> "%s/browser"\n' "$dir" > open-browser; chmod +x open-browser; touch browser seen
cat > program.py <<'X'
import json, pathlib, threading, time
import httpx, httpx_auth
base = "http://127.0.0.1:" + pathlib.Path("port").read_text()
def grant(name, port):
    return httpx_auth.OAuth2AuthorizationCode(f"{base}/{name}/login", f"{base}/{name}/token", client_id="id", timeout=2, redirect_uri_port=port)
slow, ill, third = grant("slow", 5001), grant("ill", 5002), grant("third", 5003)
expired = time.time() - 60
pathlib.Path("tokens.json").write_text(json.dumps({auth.state: ["A1", expired, "R1"] for auth in [slow, ill, third]}))
httpx_auth.OAuth2.token_cache = httpx_auth.JsonTokenFileCache("tokens.json")
api = httpx.MockTransport(lambda request: httpx.Response(200, text=request.headers["Authorization"]))
def call(auth):
    try:
        return httpx.Client(transport=api).get("http://api.example", auth=auth).text
    except httpx_auth.TimeoutOccurred as error:
        return type(error).__name__
def opened():
    count = len(pathlib.Path("browser").read_text().splitlines()); pathlib.Path("browser").write_text(""); return count
results = []
threads = [threading.Thread(target=lambda: results.append(call(slow))) for _ in range(2)]
threads[0].start(); time.sleep(0.3); threads[1].start()
for thread in threads: thread.join()
print("two at the same moment:", *sorted(results), "- browser opened:", opened())
for time_ in ["first", "second"]: print(f"{time_} call of the other API:", call(ill), "- browser opened:", opened())
def in_the_file(auth):
    return json.loads(pathlib.Path("tokens.json").read_text()).get(auth.state, [None] * 3)[2]
print("the other API's refresh token in the file:", in_the_file(ill))
print("a third API:", call(third), "- browser opened:", opened())
print("the other API's refresh token in the file:", in_the_file(ill))
X
BROWSER="$dir/open-browser" python/bin/python program.py | tee output
echo "refreshes: $(tr '\n' ',' < seen)" | tee -a output
diff output - <<'X'
two at the same moment: Bearer A2 TimeoutOccurred - browser opened: 1
first call of the other API: TimeoutOccurred - browser opened: 1
second call of the other API: TimeoutOccurred - browser opened: 1
the other API's refresh token in the file: R1
a third API: Bearer A2 - browser opened: 0
the other API's refresh token in the file: None
refreshes: slow R1,ill R1,third R1,
X
