#!/usr/bin/env bash
# Software: libiddawc 1.1.8 (Debian 12: libiddawc1.1 1.1.8-1), an OAuth 2.0 and OpenID Connect client in C. It is
# called through Python's ctypes, with the numbers of the options from its public header.
#
# What was run: a session logs in through a redirect that carries a token of 2 seconds, waits, and refreshes:
# the answer gives a token of 3600 seconds. A second session starts with a refresh token alone. After each step
# the session is asked for I_OPT_EXPIRES_IN and I_OPT_EXPIRES_AT; the header says that each of the two is the
# value "after a succesfull auth or token request".
#
# A good engineer would guess: I_OPT_EXPIRES_AT is the time to store and to compare with the clock, for it is
# absolute. After the refresh it is an hour ahead.
#
# What happens: the redirect sets both. A token request sets I_OPT_EXPIRES_IN alone. So after the refresh the
# absolute time is still that of the old token, which is in the past, and in a session that never saw a redirect
# it is 0. Both are exported and imported with the session, so a restart keeps the wrong time.
#
# What follows: a client that asks "is expires_at over?" refreshes before each call, and spends a refresh token
# for each; a client that takes 0 as "has no end" never refreshes. Neither sees an error.
#
# How to avoid: after each i_run_token_request() compute the time yourself from I_OPT_EXPIRES_IN, and write it
# with i_set_int_parameter(session, I_OPT_EXPIRES_AT, ...) before the session is exported, as tried below.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"; chmod 755 .
apt-get download -qq libiddawc1.1=1.1.8-1 librhonabwy1.1 libulfius2.7 libyder2.0 liborcania2.3 libjansson4 \
  libmicrohttpd12 libgnutls30 libcurl3-gnutls >/dev/null 2>&1 \
  || { echo "the Debian 12 packages cannot be fetched (apt-get update first)"; exit 1; }
for deb in *.deb; do dpkg -x "$deb" root; done
cat > try.py <<'PY'
import ctypes, http.server, json, sys, threading, time, urllib.parse

RESPONSE_TYPE_TOKEN, RESPONSE_TYPE_REFRESH = 0x10, 0x100000
STATE, REDIRECT_URI, REDIRECT_TO, CLIENT_ID, TOKEN_ENDPOINT, REFRESH_TOKEN, EXPIRES_IN, EXPIRES_AT = 4, 6, 7, 8, 13, 23, 31, 32
lib = ctypes.CDLL("libiddawc.so.1.1")
lib.i_get_str_parameter.restype = lib.i_export_session_str.restype = ctypes.c_char_p
lib.i_get_int_parameter.restype = ctypes.c_uint

live, count = "rt1", 1
class Server(http.server.BaseHTTPRequestHandler):
    def log_message(self, *a): pass
    def do_POST(self):
        global live, count
        q = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        status, body = 400, {"error": "invalid_grant"}
        if q.get("refresh_token") == live:
            count += 1; live = f"rt{count}"
            status, body = 200, {"access_token": f"at{count}", "refresh_token": live, "token_type": "Bearer", "expires_in": 3600}
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers(); self.wfile.write(data)
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()

def ok(code): assert code == 0, code
def session(stored=None):
    s = ctypes.create_string_buffer(1 << 16)              # room for the library's own struct
    ok(lib.i_init_session(s))
    if stored: ok(lib.i_import_session_str(s, stored))
    return s
def put(s, option, text): ok(lib.i_set_str_parameter(s, option, text.encode()))
def refresh(s):
    ok(lib.i_set_response_type(s, RESPONSE_TYPE_REFRESH))
    ok(lib.i_run_token_request(s))
def show(what, s):
    at, until = lib.i_get_int_parameter(s, EXPIRES_AT), lib.i_get_int_parameter(s, EXPIRES_IN)
    word = "0" if at == 0 else "ahead by an hour" if at > time.time() + 3500 else "ahead" if at > time.time() else "in the past"
    print(f"{what:34}: refresh token {lib.i_get_str_parameter(s, REFRESH_TOKEN).decode()}, expires_in {until}, expires_at {word}")
    return word
def start():
    s = session()
    put(s, CLIENT_ID, "k"); put(s, TOKEN_ENDPOINT, f"http://127.0.0.1:{server.server_port}/token"); put(s, REFRESH_TOKEN, live)
    return s

seen = []
one = start()
ok(lib.i_set_response_type(one, RESPONSE_TYPE_TOKEN)); put(one, STATE, "x"); put(one, REDIRECT_URI, "http://127.0.0.1/back")
put(one, REDIRECT_TO, "http://127.0.0.1/back#access_token=at1&token_type=Bearer&expires_in=2&state=x")
ok(lib.i_parse_redirect_to(one))
seen.append(show("after the login by redirect", one))
time.sleep(3)
refresh(one)
seen.append(show("after a refresh", one))
again = session(lib.i_export_session_str(one))
seen.append(show("exported and imported", again))
two = start(); refresh(two)
seen.append(show("a session without a redirect", two))
ok(lib.i_set_int_parameter(two, EXPIRES_AT, int(time.time()) + lib.i_get_int_parameter(two, EXPIRES_IN)))
seen.append(show("set by hand, exported, imported", session(lib.i_export_session_str(two))))
print("libiddawc 1.1.8; expected: after each refresh expires_at is ahead by an hour")
good = seen == ["ahead", "in the past", "in the past", "0", "ahead by an hour"]
print("SEEN: a refresh leaves the absolute expiry as it was" if good else "NO LONGER SEEN")
sys.exit(0 if good else 1)
PY
LD_LIBRARY_PATH=$dir/root/usr/lib/x86_64-linux-gnu python3 try.py
