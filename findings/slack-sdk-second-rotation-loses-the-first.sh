#!/usr/bin/env bash
# Software: slack_sdk 3.48.0 (PyPI), class TokenRotator.
#
# What was run: an installation with two grants, that of the bot and that of the user who installed the app.
# Both access tokens are near their end. perform_token_rotation() is called twice; the server rotates
# strictly, and answers the first request for the user's grant with "internal_error", once.
#
# A good engineer would guess: the bot's rotation has succeeded, and the caller is given its new pair, or is
# given nothing and the call can be made again. At the second call all is well.
#
# What happens: one call makes two rotations, one after the other, and has one result. The bot's pair comes
# first; then the user's request fails, the call raises, and the exception does not carry the bot's new pair.
# The caller still holds the bot's old refresh token, which is spent. The second call fails at once with
# invalid_refresh_token, for the bot, so the user's grant, which is in good health, cannot be rotated either.
#
# What follows: a passing fault at one grant ends another grant. The log names the fault of the user's grant
# at first, and later that of the bot's: neither line tells what went wrong.
#
# How to avoid: call perform_bot_token_rotation() and perform_user_token_rotation() one by one, and save the
# result of the first before the second is sent. A function that spends two one-time values needs two results.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check slack_sdk==3.48.0
cat > try.py <<'PY'
import http.server, json, sys, threading, time, urllib.parse
from slack_sdk.errors import SlackTokenRotationError
from slack_sdk.oauth.installation_store import Installation
from slack_sdk.oauth.token_rotation import TokenRotator
from slack_sdk.version import __version__
from slack_sdk.web import WebClient

live = {"bot-rt1": "bot", "user-rt1": "user"}           # what the server takes now
faults = ["user"]                                       # one fault, at the user's grant
trace = []

class Server(http.server.BaseHTTPRequestHandler):
    def log_message(self, *a): pass
    def do_POST(self):
        q = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        spent = q["refresh_token"]
        kind = live.get(spent)
        if kind is None:
            body = {"ok": False, "error": "invalid_refresh_token"}
        elif kind in faults:
            faults.remove(kind)
            body = {"ok": False, "error": "internal_error"}
        else:
            new = f"{kind}-rt{int(spent[-1]) + 1}"
            del live[spent]; live[new] = kind
            body = {"ok": True, "token_type": kind, "access_token": new.replace("rt", "at"), "refresh_token": new,
                    "expires_in": 43200}
        trace.append((spent, body.get("refresh_token") or body["error"]))
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers(); self.wfile.write(data)

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
soon = int(time.time()) + 60
held = Installation(user_id="U1", team_id="T1", bot_id="B1", bot_token="bot-at1", bot_refresh_token="bot-rt1",
                    bot_token_expires_at=soon, user_token="user-at1", user_refresh_token="user-rt1",
                    user_token_expires_at=soon)
rotator = TokenRotator(client_id="c", client_secret="s",
                       client=WebClient(base_url=f"http://127.0.0.1:{server.server_port}/api/"))
outcomes = []
for call in 1, 2:
    try:
        held = rotator.perform_token_rotation(installation=held) or held
        outcomes.append("ok")
    except SlackTokenRotationError as e:
        outcomes.append(e.api_error.response["error"])
    print(f"call {call}: {outcomes[-1]}; the caller holds {held.bot_refresh_token}, {held.user_refresh_token};",
          "the server takes", ", ".join(sorted(live)))
print("slack_sdk", __version__)
print("expected: after the second call the caller holds what the server takes")
for spent, result in trace: print("  refresh with", spent, "->", result)
seen = (outcomes == ["internal_error", "invalid_refresh_token"] and held.bot_refresh_token == "bot-rt1"
        and set(live) == {"bot-rt2", "user-rt1"})
print("SEEN: a fault at the user's grant lost the new pair of the bot" if seen else "NO LONGER SEEN")
sys.exit(0 if seen else 1)
PY
venv/bin/python try.py
