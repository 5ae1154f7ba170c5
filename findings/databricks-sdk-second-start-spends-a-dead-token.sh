#!/usr/bin/env bash
# Software: databricks-sdk 0.162.0 (PyPI), `auth_type="external-browser"`.
#
# What was run: a program that makes one `Config` and one set of headers, started three times against a
# strict rotating server. The "browser" is a script that follows the redirect back to the program (to port
# 8020, which the library has fixed). The access token is already old when the second and third program start.
#
# A good engineer would guess: one login in the first program. The second program refreshes, and writes the
# new pair into the cache file from which it took the old one. The third program refreshes again.
#
# What happens: the cache file is written after a login only. The second program spends the stored refresh
# token, works well with the new pair in memory, and leaves the dead one in the file. The third program finds
# it, is answered invalid_grant, and opens a browser. It is the program before that has caused the failure,
# and that one ended without an error.
#
# What follows: under rotation every second start needs a person. On a machine without a browser the third
# start waits for a redirect that nobody sends. A server with reuse detection would revoke the whole grant.
#
# How to avoid: after making the client, save the credentials yourself (the class of the cache is
# `databricks.sdk.oauth.TokenCache`), or use one long-lived process. For a library of your own: the write
# belongs to the refresh, not to the login.
set -euo pipefail
dir=$(mktemp -d); trap 'kill "${server:-}" 2>/dev/null || true; rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check databricks-sdk==0.162.0 requests==2.34.2 google-auth==2.63.0
cat > server.py <<'PY'
import http.server, json, urllib.parse
live, count = None, 0
class Server(http.server.BaseHTTPRequestHandler):
    def log_message(self, *a): pass
    def answer(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers(); self.wfile.write(data)
    def do_GET(self):
        url = urllib.parse.urlparse(self.path)
        if url.path.endswith("/.well-known/oauth-authorization-server"):
            return self.answer(200, {"authorization_endpoint": base + "/authorize", "token_endpoint": base + "/token"})
        if url.path == "/.well-known/databricks-config":
            return self.answer(200, {"oidc_endpoint": base + "/oidc"})
        if url.path != "/authorize":
            return self.answer(404, {"message": "no such page", "error_code": "NOT_FOUND"})
        print("login in the browser", flush=True)
        q = dict(urllib.parse.parse_qsl(url.query))
        self.send_response(302)
        self.send_header("Location", q["redirect_uri"] + "?" + urllib.parse.urlencode({"code": "c", "state": q["state"]}))
        self.end_headers()
    def do_POST(self):
        global live, count
        q = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        spent = q.get("refresh_token")
        if q["grant_type"] == "refresh_token" and spent != live:
            print("refresh with", spent, "-> invalid_grant", flush=True)
            return self.answer(400, {"error": "invalid_grant"})
        count += 1; live = f"rt{count}"
        print(f"refresh with {spent} -> {live}" if spent else f"code -> {live}", flush=True)
        # The library's margin is 40 seconds: the first token is old after 5.
        self.answer(200, {"access_token": f"at{count}", "refresh_token": live, "token_type": "Bearer", "expires_in": 45 if count < 2 else 3600})
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
base = f"http://127.0.0.1:{server.server_port}"
open("port", "w").write(base)
server.serve_forever()
PY
python3 server.py >> log & server=$!
for _ in $(seq 50); do [ -s port ] && break; sleep 0.1; done
cat > program.py <<'PY'
import os
from databricks.sdk.core import Config
cfg = Config(host=open("port").read(), auth_type="external-browser")
print("  the program got", cfg.authenticate()["Authorization"])
PY
cat > browser <<'SH'
#!/bin/sh
(sleep 1; python3 -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1]).read()' "$1") >/dev/null 2>&1 &
SH
chmod +x browser
export HOME=$dir BROWSER="$dir/browser %s"
for run in 1 2 3; do
  [ $run = 1 ] || sleep 6; echo "-- start $run" >> log
  echo "start $run"; timeout 40 venv/bin/python program.py
  sed 's/.*"refresh_token": "\([^"]*\)".*/  the file holds \1\n/' .config/databricks-sdk-py/oauth/*.json
done
echo; venv/bin/pip list --disable-pip-version-check 2>/dev/null | grep databricks
echo "expected: one login, then one refresh a start, each with the newest token"
echo "seen by the server:"; cat log
[ "$(grep -c 'login in the browser' log)" = 2 ] && grep -q 'refresh with rt. -> invalid_grant' log \
  && echo "SEEN: the second start left the spent token in the file; the third start needed a login" \
  || { echo "NO LONGER SEEN"; exit 1; }
