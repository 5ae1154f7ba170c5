#!/usr/bin/env bash
# Software: oidc-agent 4.2.6 (Debian 12: oidc-agent-cli 4.2.6-1). It holds the refresh tokens of a user's accounts, as ssh-agent
# holds keys. `oidc-token` asks it for an access token, or with `--id-token` for an ID token.
#
# What was run: an account is set up with a refresh token, at a server that rotates. The agent lets ID tokens go only if the user
# agrees in a window. There is no window on this machine, which the agent takes for a refusal. After the refused question the account
# is used as before. For contrast the same with an agent that was started with `--always-allow-idtoken`.
#
# A good engineer would guess: a refused question changes nothing. The next access token comes as usual.
#
# What happens: the agent keeps the refresh token, the client's id and its secret masked in memory. It unmasks them in place before
# it asks the user, and masks them again after each use. After a refusal it does not. The next request of any kind
# unmasks plain text, fails at that, and goes on with no refresh token, no id and no secret. That is what it masks and keeps.
#
# What follows: at first nothing is seen, for the access token of the moment is still handed out. When it ends, the agent says that
# it has no refresh token, and tells the user to log in again. Nothing was sent to the server, and the refresh token is alive.
# `oidc-add` does not mend it: the account is "already loaded". If the agent could not write the last rotated token to its file (it
# needs the password for that), then the only copy is gone.
#
# How to avoid: start the agent with `--always-allow-idtoken`, or do not ask for ID tokens. After a refusal call `oidc-add -r` and
# then `oidc-add`. Without `--no-autoreauthenticate`, used here, the failing call waits for minutes for a user. In a program of your
# own: unmask a copy of a secret, and not the only one.
set -euo pipefail
dir=$(mktemp -d); server=; OIDCD_PID=; cd "$dir"; chmod 755 .
finish() { kill $OIDCD_PID $server 2>/dev/null || true; wait 2>/dev/null || true; OIDCD_PID=; server=; }
trap 'finish; rm -rf "$dir"' EXIT
apt-get download -qq oidc-agent-cli=4.2.6-1 liboidc-agent4=4.2.6-1 libcjson1 libmicrohttpd12 libqrencode4 libsecret-1-0 libsodium23 \
  libseccomp2 libglib2.0-0 >/dev/null 2>&1 || { echo "the Debian 12 packages cannot be fetched (apt-get update first)"; exit 2; }
for deb in *.deb; do dpkg -x "$deb" root; done
export LD_LIBRARY_PATH=$dir/root/usr/lib/x86_64-linux-gnu PATH=$dir/root/usr/bin:$PATH TMPDIR=$dir
unset DISPLAY WAYLAND_DISPLAY XDG_CONFIG_HOME OIDC_CONFIG_DIR OIDC_SOCK
cat > server.py <<'PY'
import http.server, json, urllib.parse
count, live = 1, "rt1"
class Server(http.server.BaseHTTPRequestHandler):
    def log_message(self, *a): pass
    def answer(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers(); self.wfile.write(data)
    def do_GET(self):
        here = f"http://127.0.0.1:{self.server.server_port}"
        self.answer(200, {"issuer": here, "token_endpoint": here + "/token", "authorization_endpoint": here + "/login",
                          "scopes_supported": ["openid", "offline_access"]})
    def do_POST(self):
        global count, live
        q = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        if q.get("refresh_token") == live:
            count += 1; live = f"rt{count}"
            status, body = 200, {"access_token": f"at{count}", "refresh_token": live, "expires_in": 3600, "id_token": f"id{count}"}
        else: status, body = 400, {"error": "invalid_grant"}
        print(f"{q.get('refresh_token')}:{body.get('error', live)}", flush=True)
        self.answer(status, body)
server = http.server.HTTPServer(("127.0.0.1", 0), Server)
open("port", "w").write(str(server.server_port)); server.serve_forever()
PY
call() { timeout 30 "$@" </dev/null 2>&1 | head -1 || true; }   # the first line of what a command says
session() {   # a new server, a new agent and a new account; the arguments are options of the agent
  rm -f port; export HOME; HOME=$(mktemp -d "$dir/homeXXX"); mkdir "$HOME/.oidc-agent"
  python3 server.py > requests & server=$!
  for _ in $(seq 50); do [ -s port ] && break; sleep 0.1; done
  eval "$(oidc-agent --no-autoreauthenticate "$@")" >/dev/null
  timeout 30 oidc-gen user --manual --iss "http://127.0.0.1:$(cat port)/" --client-id client --client-secret secret --rt rt1 \
    --flow refresh --scope "openid offline_access" --redirect-uri http://localhost:4242 --pw-file "$dir/password" --prompt none \
    </dev/null >gen.log 2>&1 || { cat gen.log; exit 2; }
}
echo password > password
echo "$(oidc-agent --version 2>&1 | head -1), Debian's oidc-agent-cli $(dpkg-deb -f oidc-agent-cli_*.deb Version)"
echo "expected: after the refused question, the account gives a new access token as before"
session --always-allow-idtoken
id=$(call oidc-token --id-token user); allowed=$(call oidc-token --force-new user); finish
echo "question allowed: ID token: $id, then a new access token: $allowed"

session
id=$(call oidc-token --id-token user); cached=$(call oidc-token user); forced=$(call oidc-token --force-new user)
added=$(call oidc-add user --pw-file "$dir/password"); again=$(call oidc-token --force-new user); requests=$(tr '\n' ' ' < requests)
file=$(timeout 30 oidc-add -p user --pw-file "$dir/password" </dev/null | sed -n 's/.*"refresh_token":[^"]*"\([^"]*\)".*/\1/p')
echo "question refused: ID token: $id, then the known access token: $cached"
echo "  a new access token: $forced"
echo "  oidc-add: $added Then a new access token: $again"
echo "  the server saw: $requests; the file has $file"
call oidc-add -r user >/dev/null; call oidc-add user --pw-file "$dir/password" >/dev/null; mended=$(call oidc-token --force-new user)
echo "  after oidc-add -r and oidc-add: $mended"; finish
lost="Error: No or malformed refresh token"
if [ "$allowed/$id/$cached/$forced/$again/$requests/$file/$mended" = "at4/operation forbidden/at2/$lost/$lost/rt1:rt2 /rt2/at4" ]
then echo "SEEN: a refused question about an ID token took the living refresh token out of the agent"; else echo "NO LONGER SEEN"; exit 1; fi
