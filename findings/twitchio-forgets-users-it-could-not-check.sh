#!/usr/bin/env bash
# Software: twitchio 3.3.2 (PyPI), on Python 3.11 with aiohttp 3.
#
# What was run: a bot keeps two users in twitchio's own token file. The bot is started three times, and
# each time it is closed in the ordinary way. At the second start the validation endpoint answers 503 for the second
# user only. Both pairs are good all the time: nobody revoked anything.
#
# A good engineer would guess: a 503 says nothing about a token. The user is skipped in this run, or is tried
# again later. The token file keeps the pair, so the next start finds both users.
#
# What happens: a 503 while the file is read counts as an invalid token, and the user is not put in memory.
# Closing the bot writes the file anew from memory alone. The refresh token of the second user is then gone
# from the disk, although the server never saw it used. Only a new login by that person brings the user back.
#
# What follows: an outage of seconds, at a restart, logs users out for good, one by one, and the log shows a
# warning only. The loss is made by the clean shutdown; a killed process would have kept the file.
#
# How to avoid: start with `load_tokens=False, save_tokens=False`, keep the pairs in a store of your own at
# the `token_refreshed` event, and hand them to `add_token`, so that a failure there leaves the store as it
# was. A store that is written from memory must first have read all that it replaces.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check twitchio==3.3.2
cat > try.py <<'PY'
import asyncio, http.server, json, sys, threading
from importlib.metadata import version
import twitchio
from twitchio.http import Route

users = {"at-anna": "anna", "at-berta": "berta"}
unwell, refreshes = set(), []

class Server(http.server.BaseHTTPRequestHandler):
    def log_message(self, *a): pass
    def answer(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers(); self.wfile.write(data)
    def do_GET(self):                                   # /oauth2/validate
        token = self.headers["Authorization"].split()[1]
        if token in unwell:
            return self.answer(503, {"status": 503, "message": "try again"})
        name = users[token]
        self.answer(200, {"client_id": "c", "login": name, "user_id": name, "scopes": [], "expires_in": 14000})
    def do_POST(self):
        refreshes.append(self.path)
        self.answer(400, {"status": 400, "message": "nobody should refresh here"})

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
Route.BASE = Route.ID_BASE = f"http://127.0.0.1:{server.server_port}/"    # no other host is asked

def stored():
    with open(".tio.tokens.json") as f:
        return {k: v["refresh"] for k, v in json.load(f).items()}

async def run(add=()):
    async with twitchio.Client(client_id="c", client_secret="s") as bot:
        await bot.login(token="app-token")
        for token, refresh in add:
            await bot.add_token(token, refresh)

asyncio.run(run([("at-anna", "rt-anna"), ("at-berta", "rt-berta")]))
first = stored()
unwell.add("at-berta")
asyncio.run(run())
second = stored()
unwell.clear()
asyncio.run(run())
third = stored()

print("twitchio", version("twitchio"))
print("expected: both users are in the file after every run")
print("after the first run :", first)
print("after the run with a 503 for berta:", second)
print("after a third run, all well again :", third)
print("refresh requests sent:", len(refreshes))
seen = (first == {"anna": "rt-anna", "berta": "rt-berta"} and second == third == {"anna": "rt-anna"}
        and not refreshes)
print("SEEN: one 503 and a clean close removed a good refresh token from the file" if seen else "NO LONGER SEEN")
sys.exit(0 if seen else 1)
PY
venv/bin/python try.py
