#!/usr/bin/env bash
# Software: mcp 2.3.0 (PyPI), the official Python SDK, class OAuthClientProvider.
#
# What was run: an HTTP client with this provider, and a TokenStorage that keeps in a file exactly what the
# SDK hands to it, and gives exactly this back. The first process logs in, waits until the access token is
# old, and calls again. A second process starts with the same file, again with an old access token and with a
# refresh token that nobody has used.
#
# A good engineer would guess: both processes refresh, for both have an old access token and a good refresh
# token. One login is made in all.
#
# What happens: the first process refreshes. The second one sends the old access token, is answered 401, and
# starts a whole new login. Its good refresh token is never sent. The stored token has only the relative
# `expires_in`, the moment of its arrival is kept in memory, and a token of unknown age counts as valid. A 401
# leads to the login and not to the refresh.
#
# What follows: every restart later than the life of the access token costs a login by a person, or fails
# where there is no person. The server also keeps a grant that no client uses any more. It looks like a short
# life of the refresh token, and is not.
#
# How to avoid: keep `provider.context.token_expiry_time` and `provider.context.oauth_metadata` beside the token,
# and put both back before the first request, as the third process below does. Without the metadata the
# refresh would go to the path /token at the MCP server's own host. A token of unknown age should be refreshed
# first, not trusted.
set -euo pipefail
dir=$(mktemp -d); trap 'kill "${server:-}" 2>/dev/null || true; rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check mcp==2.3.0 httpx2==2.16.2 pydantic==2.14.4
cat > server.py <<'PY'
import http.server, json, time, urllib.parse
live, count, born = None, 0, {}
class Server(http.server.BaseHTTPRequestHandler):
    def log_message(self, *a): pass
    def answer(self, status, body, **headers):
        data = json.dumps(body).encode()
        self.send_response(status)
        for k, v in ({"Content-Type": "application/json", "Content-Length": str(len(data))} | headers).items():
            self.send_header(k, v)
        self.end_headers(); self.wfile.write(data)
    def do_GET(self):
        url = urllib.parse.urlparse(self.path)
        if url.path == "/.well-known/oauth-protected-resource/mcp":
            return self.answer(200, {"resource": base + "/mcp", "authorization_servers": [base]})
        if url.path == "/.well-known/oauth-authorization-server":
            return self.answer(200, {"issuer": base, "authorization_endpoint": base + "/authorize", "token_endpoint": base + "/oauth/token",
                                     "registration_endpoint": base + "/register", "response_types_supported": ["code"],
                                     "code_challenge_methods_supported": ["S256"]})
        if url.path == "/authorize":
            print("LOGIN", flush=True)
            return self.answer(200, {"code": "c", "state": urllib.parse.parse_qs(url.query)["state"][0]})
        at = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if url.path == "/mcp" and time.time() < born.get(at, 0) + 2:
            print("  call with", at, "-> 200", flush=True)
            return self.answer(200, {})
        print("  call with", at or "no token", "->", 401 if url.path == "/mcp" else 404, flush=True)
        self.answer(401 if url.path == "/mcp" else 404, {},
                    **{"WWW-Authenticate": f'Bearer resource_metadata="{base}/.well-known/oauth-protected-resource/mcp"'})
    def do_POST(self):
        global live, count
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if self.path == "/register":
            return self.answer(201, json.loads(body) | {"client_id": "k", "token_endpoint_auth_method": "none"})
        if self.path != "/oauth/token":
            print("  a refresh at the wrong path", self.path, flush=True)
            return self.answer(404, {})
        q = dict(urllib.parse.parse_qsl(body))
        if q["grant_type"] == "refresh_token" and q["refresh_token"] != live:
            print("  refresh with", q["refresh_token"], "-> invalid_grant", flush=True)
            return self.answer(400, {"error": "invalid_grant"})
        count += 1; live = f"rt{count}"; born[f"at{count}"] = time.time()
        print(" ", q.get("refresh_token", "code"), "->", live, flush=True)
        self.answer(200, {"access_token": f"at{count}", "refresh_token": live, "token_type": "Bearer", "expires_in": 2})
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
base = f"http://127.0.0.1:{server.server_port}"
open("port", "w").write(base)
server.serve_forever()
PY
python3 server.py >> log & server=$!
for _ in $(seq 50); do [ -s port ] && break; sleep 0.1; done
cat > program.py <<'PY'
import asyncio, json, pathlib, sys
import httpx2
from mcp.client.auth import OAuthClientProvider
from mcp.client.auth.oauth2 import AuthorizationCodeResult
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthMetadata, OAuthToken
base = open("port").read()
class Store:
    def get(self, name, kind):
        f = pathlib.Path(name)
        return kind.model_validate_json(f.read_text()) if f.exists() else None
    async def get_tokens(self): return self.get("tokens.json", OAuthToken)
    async def set_tokens(self, t): pathlib.Path("tokens.json").write_text(t.model_dump_json())
    async def get_client_info(self): return self.get("client.json", OAuthClientInformationFull)
    async def set_client_info(self, c): pathlib.Path("client.json").write_text(c.model_dump_json())
seen = {}
async def redirect(url):
    async with httpx2.AsyncClient() as person: seen.update((await person.get(url)).json())
async def callback():
    return AuthorizationCodeResult(code=seen["code"], state=seen["state"], iss=None)
async def main():
    metadata = OAuthClientMetadata(redirect_uris=["http://127.0.0.1:9/back"], client_name="n", token_endpoint_auth_method="none")
    auth = OAuthClientProvider(base + "/mcp", metadata, Store(), redirect, callback)
    if sys.argv[1] == "mended":
        expiry, metadata = json.loads(pathlib.Path("extra.json").read_text())
        auth.context.token_expiry_time = expiry
        auth.context.oauth_metadata = OAuthMetadata.model_validate(metadata)
    async with httpx2.AsyncClient(auth=auth) as client:
        for pause in map(int, sys.argv[2:]):
            await asyncio.sleep(pause)
            (await client.get(base + "/mcp")).raise_for_status()
    extra = [auth.context.token_expiry_time, auth.context.oauth_metadata.model_dump(mode="json")]
    pathlib.Path("extra.json").write_text(json.dumps(extra))
asyncio.run(main())
PY
echo "-- first process: a call, and one more after 3 seconds" >> log; venv/bin/python program.py plain 0 3
sleep 3
echo "-- second process: a call after 3 seconds more" >> log; venv/bin/python program.py plain 0
sleep 3
echo "-- third process: the same, with the expiry and the metadata put back" >> log; venv/bin/python program.py mended 0
venv/bin/pip list --disable-pip-version-check 2>/dev/null | grep '^mcp '
echo "expected: one LOGIN in all; the second process refreshes with the stored rt2"
echo "seen by the server (an access token lives 2 seconds):"; cat log
[ "$(grep -c LOGIN log)" = 2 ] && [ "$(grep -c '^  rt' log)" = 2 ] && ! grep -q invalid_grant log \
  && ! sed -n '/third/,$p' log | grep -q LOGIN \
  && echo "SEEN: after the restart the good refresh token was not tried, a login was made" \
  || { echo "NO LONGER SEEN"; exit 1; }
