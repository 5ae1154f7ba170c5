#!/usr/bin/env bash
# Software: tekore 6.2.0 (PyPI), a client of Spotify, class RefreshingToken (its self-refreshing token), PKCE.
#
# What was run: a program gets such a token, keeps its refresh token in a file, and later writes the token
# object into its log with %r. No call to the API is made. Then it is started anew with the refresh token from
# the file. All requests are led to a strict rotating server on the loopback.
#
# A good engineer would guess: to print an object is to look at it. The file stays right until the program makes
# a call that needs a new access token.
#
# What happens: the printed form shows the access token, and the access token is a property that refreshes when
# it is near its end. So the log line sends a request, spends the refresh token in the file, and puts the new
# pair into memory alone, and into the log. str(), an f-string, a debugger's window of variables and a test
# runner's report of a failure do the same. The next start is refused.
#
# What follows: whether the grant survives depends on the level of logging, and a look with the debugger changes
# what is looked at. The trace shows a refresh at a moment when the program did nothing.
#
# How to avoid: never print the object. Store the refresh token after each use, from `token.refresh_token`, and
# only after reading `token.access_token`, in this order. Or use the plain, expiring token and refresh by
# yourself. In a library of your own: nothing that a debugger calls may have an effect.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check tekore==6.2.0 httpx==0.28.1
cat > try.py <<'PY'
import http.server, json, logging, pathlib, sys, threading, time, urllib.parse
from importlib.metadata import version
import httpx, tekore

live, count, trace = "rt1", 1, []
class Server(http.server.BaseHTTPRequestHandler):
    def log_message(self, *a): pass
    def do_POST(self):
        global live, count
        q = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        spent = q["refresh_token"]
        if spent != live:
            status, body = 400, {"error": "invalid_grant", "error_description": "Refresh token revoked"}
        else:
            count += 1; live = f"rt{count}"
            # 61 seconds: near the end, by the library's own margin of 60, after two seconds
            status, body = 200, {"access_token": f"at{count}", "refresh_token": live, "token_type": "Bearer",
                                 "expires_in": 61 if count == 2 else 3600, "scope": ""}
        trace.append(f"refresh with {spent} -> {body.get('error', live)}")
        print("  server:", trace[-1])
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers(); self.wfile.write(data)
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()

class Loopback(httpx.HTTPTransport):
    def handle_request(self, request):
        request.url = httpx.URL(f"http://127.0.0.1:{server.server_port}{request.url.path}")
        return super().handle_request(request)
def credentials():
    return tekore.RefreshingCredentials("client", redirect_uri="http://127.0.0.1/",
                                        sender=tekore.SyncSender(httpx.Client(transport=Loopback())))
file = pathlib.Path("refresh-token"); file.write_text("rt1")

print("start:")
token = credentials().refresh_pkce_token(file.read_text())
file.write_text(token.refresh_token)
print("  the file has", file.read_text(), "and the server takes", live)
time.sleep(3)
print("a line for the log:")
logging.basicConfig(stream=sys.stdout, level=logging.DEBUG, format="  log: %(message)s")
for noisy in ("httpx", "httpcore"): logging.getLogger(noisy).setLevel(logging.WARNING)
before = len(trace)
logging.debug("ready, token is %r", token)
requests = len(trace) - before
print("  the file has", file.read_text(), "and the server takes", live)
print("start anew:")
try: credentials().refresh_pkce_token(file.read_text()); again = "worked"
except tekore.HTTPError as e: again = "refused"
print(" ", again)
print("tekore", version("tekore"))
print("expected: no request for the log line, and the start anew works")
seen = requests == 1 and again == "refused" and file.read_text() == "rt2" and live == "rt3"
print("SEEN: a log line refreshed the token and spent the stored one" if seen else "NO LONGER SEEN")
sys.exit(0 if seen else 1)
PY
venv/bin/python try.py
