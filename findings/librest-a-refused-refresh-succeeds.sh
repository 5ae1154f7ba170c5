#!/usr/bin/env bash
# Software: librest 0.9.1 (Debian 12, librest-1.0-0), GNOME's library for web services, class RestOAuth2Proxy; libsoup 3.2.3.
#
# What was run: three refreshes of one proxy, by `refresh_access_token_async` and `_finish`. The server gives a new pair, then
# refuses with 400 `invalid_grant`, then answers 503 with an error in JSON.
#
# A good engineer would guess: the first one returns TRUE; the others return FALSE and set the GError, as in every library of GNOME.
#
# What happens: all three return TRUE, and no error is set. The answer's status is not looked at, only whether the body is JSON: what
# it has of tokens and times is taken over, and an error has none of them. Tokens and expiry stay as they were. The client secret
# that the proxy was made with is not sent, either.
#
# What follows: a program that has lost its grant refreshes with success, calls the API, gets 401, and refreshes with success again. It
# never learns that its user has to log in. An outage looks like a new token, and the time to try again is lost with it.
#
# How to avoid: compare `access-token` before and after. If it is the same, nothing was refreshed, whatever `_finish` says. Why is not
# kept: to learn it, send the request yourself.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"; chmod 755 .
apt-get download -qq librest-1.0-0=0.9.1-6+deb12u1 libsoup-3.0-0 libjson-glib-1.0-0 libglib2.0-0 libxml2 libicu72 libnghttp2-14 \
  libpsl5 libbrotli1 libsqlite3-0 >/dev/null 2>&1 || { echo "the Debian 12 packages cannot be fetched (apt-get update first)"; exit 1; }
for deb in *.deb; do dpkg -x "$deb" root; done
cat > try.py <<'PY'
import ctypes, http.server, json, sys, threading, urllib.parse
from ctypes import POINTER, byref, c_char_p, c_int, c_uint32, c_void_p

answers = [(200, {"access_token": "access-2", "refresh_token": "refresh-2", "expires_in": 3600, "token_type": "Bearer"}),
           (400, {"error": "invalid_grant"}), (503, {"error": "temporarily_unavailable"})]
forms = []

class Server(http.server.BaseHTTPRequestHandler):
    def log_message(self, *a): pass
    def do_POST(self):
        status, answer = answers[len(forms)]
        forms.append(dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode())))
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers(); self.wfile.write(data)

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
base = f"http://127.0.0.1:{server.server_port}/".encode()

class GError(ctypes.Structure):
    _fields_ = [("domain", c_uint32), ("code", c_int), ("message", c_char_p)]

Ready = ctypes.CFUNCTYPE(None, c_void_p, c_void_p, c_void_p)
glib, rest = ctypes.CDLL("libglib-2.0.so.0"), ctypes.CDLL("librest-1.0.so.0")

def function(name, result, *arguments):
    found = getattr(rest, "rest_oauth2_proxy_" + name)
    found.restype, found.argtypes = result, arguments
    return found

new = function("new", c_void_p, *[c_char_p] * 6)
access_token, refresh_token = [function(f"get_{kind}_token", c_char_p, c_void_p) for kind in ("access", "refresh")]
begin = function("refresh_access_token_async", None, c_void_p, c_void_p, Ready, c_void_p)
finish = function("refresh_access_token_finish", c_int, c_void_p, c_void_p, POINTER(POINTER(GError)))
proxy = new(base + b"authorize", base + b"token", b"http://localhost/callback", b"client", b"secret", base)
function("set_access_token", None, c_void_p, c_char_p)(proxy, b"access-1")
function("set_refresh_token", None, c_void_p, c_char_p)(proxy, b"refresh-1")

def refresh():
    outcome = []
    def ready(_, result, __):
        error = POINTER(GError)()
        done = bool(finish(proxy, result, byref(error)))
        outcome.append((done, error.contents.message.decode() if error else "no error"))
    callback = Ready(ready)
    begin(proxy, None, callback, None)
    while not outcome: glib.g_main_context_iteration(None, 1)
    return outcome[0]

print("librest 0.9.1; expected: TRUE for 200, FALSE with an error for 400 and 503")
seen = True
for status, answer in answers:
    done, error = refresh()
    print(f"{status} {answer.get('error', 'with a new pair')}: {str(done).upper()}, {error}; the proxy holds {access_token(proxy).decode()}, {refresh_token(proxy).decode()}")
    seen = seen and done and error == "no error" and access_token(proxy) == b"access-2"
print("members sent:", ", ".join(sorted(forms[-1])))
seen = seen and "client_secret" not in forms[-1] and len(forms) == 3
print("SEEN: a refused refresh succeeds" if seen else "NO LONGER SEEN")
sys.exit(0 if seen else 1)
PY
LD_LIBRARY_PATH=root/usr/lib/x86_64-linux-gnu:root/lib/x86_64-linux-gnu timeout 60 python3 try.py
