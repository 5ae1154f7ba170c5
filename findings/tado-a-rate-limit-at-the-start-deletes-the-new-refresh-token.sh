#!/usr/bin/env bash
# Software: python-tado 1.0.0 (PyPI), a client of the heating service tado, with requests 2.34.2, on Python 3.11.
#
# What was run: the program of the package's own description, which keeps the login in a file with
# `Tado(token_file_path=...)`. It is started four times. The first time the token endpoint answers 503. The second time all is
# well. The third time the refresh is well, and the first call of the API after it, `GET /me`, is answered 429. The fourth time
# all is well again. All requests are led to a server on the loopback that rotates strictly.
#
# A good engineer would guess: at most a start fails. A 429 says nothing about the login, and the package has an error of its own
# for it. If one of these answers can endanger the file, then it is that of the token endpoint.
#
# What happens: the opposite. The refused refresh leaves the file alone, and the second start uses it. After the good refresh
# the file holds the new token. Then the 429 arrives, and each error at this place counts as a bad login: the file is removed,
# the new token is taken out of memory, and a login by device code begins. `get_refresh_token()` answers None. In a running
# process the same 429 is an error of one call, and the file stays.
#
# What follows: the old token is spent, and the new one is held by the server alone. The fourth start sends no refresh at all, it
# asks a person. The service allows some number of calls for each day, so a program that is restarted in the evening is logged out,
# and each further start asks for a login. A program that gives `saved_refresh_token` in place of the file loses the pair as well.
#
# How to avoid: keep a second name of the file, by a hard link. The package writes into the file and removes one name, so the link
# has the new token, and can be put back. In a library of your own: after a good refresh, no later error may remove what it brought.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv venv; pip() { venv/bin/pip install -q --disable-pip-version-check --no-cache-dir "$@"; }
pip requests==2.34.2 urllib3==2.8.0 pydantic==2.14.4
pip --no-deps python-tado==1.0.0   # one of its dependencies writes documentation, and is not needed here
cat > try.py <<'PY'
import http.server, json, os, sys, threading, urllib.parse
from importlib.metadata import version
import requests.adapters
from PyTado.exceptions import TadoRateLimitException
from PyTado.interface.interface import Tado

generation, ill, trace = 1, None, []
class Server(http.server.BaseHTTPRequestHandler):
    def log_message(self, *a): pass
    def reply(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers(); self.wfile.write(data)
    def do_GET(self):
        if self.path == ill: self.reply(429, {"errors": [{"code": "tooManyRequests"}]})
        elif self.headers["Authorization"] != f"Bearer A{generation}": self.reply(401, {"errors": []})
        else: self.reply(200, {"homes": [{"id": 1}], "generation": "PRE_LINE_X"})
    def do_POST(self):
        global generation
        form = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        if self.path == "/oauth2/device_authorize":
            trace.append("asks for a login")
            return self.reply(200, {"device_code": "D", "user_code": "U", "verification_uri": "http://127.0.0.1/", "expires_in": 300})
        spent = form["refresh_token"]
        if self.path == ill: status, body = 503, {"error": "temporarily_unavailable"}
        elif spent != f"R{generation}": status, body = 400, {"error": "invalid_grant"}
        else:
            generation += 1
            status, body = 200, {"access_token": f"A{generation}", "refresh_token": f"R{generation}", "expires_in": 600}
        trace.append(f"refresh with {spent}: {body.get('error', body.get('refresh_token'))}")
        self.reply(status, body)
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()

send = requests.adapters.HTTPAdapter.send
def loopback(self, request, **options):
    request.url = f"http://127.0.0.1:{server.server_port}{urllib.parse.urlsplit(request.url).path}"
    return send(self, request, **options)
requests.adapters.HTTPAdapter.send = loopback

def stored(): return json.load(open("token"))["refresh_token"] if os.path.exists("token") else "no file"
def start(name, broken=None):
    global ill
    ill = broken; trace.clear()
    tado = Tado(token_file_path="token")
    ill = None
    result = (", ".join(trace), str(tado.device_activation_status()), stored(), tado.get_refresh_token())
    print(f"  {name}: {result[0]}; {result[1]}; in the file: {result[2]}; in memory: {result[3]}; the server takes R{generation}")
    return tado, result

print("python-tado", version("python-tado"))
print("expected: the fourth start refreshes with the token that the third one got")
json.dump({"refresh_token": "R1"}, open("token", "w"))
_, first = start("start 1, the token endpoint answers 503", "/oauth2/token")
running, second = start("start 2, all is well")
ill = "/api/v2/me"
try: running.get_me(); running_says = "worked"
except TadoRateLimitException: running_says = "rate limit"
print(f"  a call of the running process, answered 429: {running_says}; in the file: {stored()}")
kept = stored()
_, third = start("start 3, the first call is answered 429", "/api/v2/me")
_, fourth = start("start 4, all is well")

json.dump({"refresh_token": f"R{generation}"}, open("token", "w"))  # as after a new login
os.link("token", "second-name")
_, fifth = start("with a second name, 429", "/api/v2/me")
os.link("second-name", "token")
_, sixth = start("with the second name put back")
seen = (first[1:3] == ("PENDING", "R1") and second[1:3] == ("COMPLETED", "R2") and (running_says, kept) == ("rate limit", "R2")
        and third == ("refresh with R2: R3, asks for a login", "PENDING", "no file", None) and fourth[0] == "asks for a login"
        and fifth[2] == "no file" and sixth[1] == "COMPLETED")
print("SEEN: a 429 after a good refresh removes the new refresh token from the file and from memory" if seen else "NO LONGER SEEN")
sys.exit(0 if seen else 1)
PY
venv/bin/python try.py
