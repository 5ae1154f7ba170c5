#!/usr/bin/env bash
# Software: Authlib 1.9.10 with httpx2 2.16.2 (PyPI), its `AsyncOAuth2Client` with `token_endpoint` and `update_token`, on Python 3.11.
#
# What was run: a program with an expired access token makes two calls of an API at the same moment. The server rotates strictly, and
# ends the grant when a spent refresh token comes back. Its access tokens live for one minute. `leeway` is 60 seconds by default.
# The same is run with one call after the other, with tokens of five minutes, and with a smaller leeway.
#
# A good engineer would guess: the client has a lock for this, and looks at the token again once it has the lock. So the second
# call finds the new token and uses it. At worst it thinks that one minute is too short, and refreshes once more, with the new
# refresh token: two refreshes in a row, as with one call after the other.
#
# What happens: a third thing. The waiting call looks at the new token to see whether it has to refresh. A token that lives no
# longer than the leeway has "expired" when it arrives, so it does. But the refresh token that it sends is from the object that
# it was called with, before it waited: the spent one. The new one is in the client, and in the store, at that moment.
#
# What follows: the lock puts the two refreshes into the order in which a server sees a theft, and the grant ends. One call after
# the other works for ever, as does a test with longer tokens. The life of the access tokens is a setting of the server: to
# shorten it to the leeway logs out each program that makes two calls at once. `leeway=300` does the same for tokens of five minutes.
#
# How to avoid: a leeway well below the life of the access tokens, as in the last run. Or refresh at one place only, before the
# calls. In a library of your own: whoever has waited for a lock must read again all that the lock protects, and not the half of it.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check --no-cache-dir Authlib==1.9.10 httpx2==2.16.2
cat > try.py <<'PY'
import asyncio, http.server, json, sys, threading, urllib.parse
from importlib.metadata import version
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client

class Server(http.server.BaseHTTPRequestHandler):
    generation, ended, life, trace = 1, False, 60, []
    def log_message(self, *a): pass
    def reply(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers(); self.wfile.write(data)
    def do_GET(self):
        self.reply(401 if Server.ended else 200, {})
    def do_POST(self):
        spent = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))["refresh_token"]
        if Server.ended or spent != f"R{Server.generation}":
            Server.ended = True  # a spent one is taken for a stolen one
            Server.trace.append(f"{spent}: invalid_grant")
            return self.reply(400, {"error": "invalid_grant"})
        Server.generation += 1
        Server.trace.append(f"{spent}: R{Server.generation}")
        self.reply(200, {"access_token": f"A{Server.generation}", "refresh_token": f"R{Server.generation}",
                         "token_type": "Bearer", "expires_in": Server.life})
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
base = f"http://127.0.0.1:{server.server_port}"

async def run(name, life, together, **options):
    Server.generation, Server.ended, Server.life, Server.trace = 1, False, life, []
    store = {"access_token": "A1", "refresh_token": "R1", "token_type": "Bearer", "expires_at": 1}
    async def keep(token, refresh_token=None, access_token=None): store.update(token)
    async with AsyncOAuth2Client("client", "secret", token_endpoint=base + "/token", token=dict(store), update_token=keep, **options) as client:
        async def call():
            try: return (await client.get(base + "/api")).status_code
            except OAuthError as e: return e.error
        calls = list(await asyncio.gather(call(), call())) if together else [await call(), await call()]
        refreshes = list(Server.trace)
        held = store["refresh_token"]
        later = await call()
    print(f"  {name}: calls {calls}; refreshes {refreshes}; in the store {held}; a later call: {later}")
    return calls, refreshes, held, later

print("Authlib", version("Authlib"), "with httpx2", version("httpx2"))
print("expected: the second refresh, if there is one, sends R2")
row = asyncio.run(run("one after the other, tokens of 60 s", 60, False))
both = asyncio.run(run("at the same moment, tokens of 60 s", 60, True))
long = asyncio.run(run("at the same moment, tokens of 300 s", 300, True))
wide = asyncio.run(run("at the same moment, tokens of 300 s, leeway=300", 300, True, leeway=300))
small = asyncio.run(run("at the same moment, tokens of 60 s, leeway=10", 60, True, leeway=10))
lost = ([200, "invalid_grant"], ["R1: R2", "R1: invalid_grant"], "R2", "invalid_grant")
once = ([200, 200], ["R1: R2"], "R2", 200)
seen = (row == ([200, 200], ["R1: R2", "R2: R3"], "R3", 200) and long == small == once
        and all((sorted(map(str, x[0])), *x[1:]) == (["200", "invalid_grant"], *lost[1:]) for x in (both, wide)))
print("SEEN: the call that waited for the new pair sends the refresh token from before, and the grant ends" if seen else "NO LONGER SEEN")
sys.exit(0 if seen else 1)
PY
venv/bin/python try.py
