#!/usr/bin/env bash
# Software: simple-oauth2 5.1.0 and @aws-sdk/token-providers 3.1177.0 (npm), botocore 1.44.8 (PyPI), with Node 18 or later.
#
# What was run: each client refreshes with R1. The token service answers with an access token and no refresh token, which means
# that R1 stays good (RFC 6749, section 6). Then each is asked what it holds: simple-oauth2 in its value, from which it
# refreshes once more; the two AWS SDKs in the cache file of the SSO session that they share, named by AWS's own configuration.
#
# A good engineer would guess: they keep R1. Two of them have a line for that case, and the third writes the rest of
# the session's file back member by member.
#
# What happens: all three forget it.
# - simple-oauth2 puts back `this.refresh_token`, which is a property of nothing: the token is in `this.token`. The new value has
#   the member, and it is undefined. The second refresh is sent all the same, as `refresh_token=` with nothing behind it.
# - @aws-sdk/token-providers writes `refreshToken: undefined` into the JSON, which is no member at all.
# - botocore builds a new document, and copies the refresh token into it only if the answer has one.
#
# What follows: everything works until the access token expires. Then the user has to log in, an hour after a refresh that
# succeeded. Servers that rotate hide this: tests against one that repeats the token or sends a new one pass.
#
# How to avoid: remember the refresh token beside the library, and merge: that of the answer if there is one, else the old one.
set -euo pipefail
dir=$(mktemp -d); service=; trap '[ -z "$service" ] || kill "$service" 2>/dev/null || true; rm -rf "$dir"' EXIT; cd "$dir"
export npm_config_cache=$dir/npm HOME=$dir/home; mkdir -p home/.aws/sso/cache
npm install --silent --no-save simple-oauth2@5.1.0 @aws-sdk/token-providers@3.1177.0
python3 -m venv python; python/bin/pip install --quiet --disable-pip-version-check botocore==1.44.8
cat > service.js <<'X'
const http = require("http"), fs = require("fs");
const answer = { access_token: "A2", token_type: "Bearer", expires_in: 3600, accessToken: "A2", tokenType: "Bearer", expiresIn: 3600 };
http.createServer((request, response) => {
  let body = "";
  request.on("data", (piece) => (body += piece)).on("end", () => {
    const json = body.startsWith("{");
    fs.appendFileSync("seen", (json ? JSON.parse(body).refreshToken : new URLSearchParams(body).get("refresh_token")) + "\n");
    response.setHeader("Content-Type", "application/json");
    response.end(JSON.stringify(answer));
  });
}).listen(0, "127.0.0.1", function () { fs.writeFileSync("port", String(this.address().port)); });
X
node service.js & service=$!
for _ in $(seq 50); do [ -s port ] && break; sleep 0.1; done
cat > home/.aws/config <<'X'
[profile work]
sso_session = work
[sso-session work]
sso_region = us-east-1
sso_start_url = https://start.example
sso_registration_scopes = sso:account:access
X
# Writes the session as a login leaves it, with an access token that has just expired; with `show`, says what is in it.
cat > session.py <<'X'
import datetime, hashlib, json, os, sys
file = os.path.expanduser("~/.aws/sso/cache/" + hashlib.sha1(b"work").hexdigest() + ".json")
if sys.argv[1:]: print(f"{sys.argv[1]}: the session holds {json.load(open(file)).get('refreshToken')}"); sys.exit()
now = datetime.datetime.now(datetime.timezone.utc)
at = lambda minutes: (now + datetime.timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")
json.dump({"startUrl": "https://start.example", "region": "us-east-1", "accessToken": "A1", "expiresAt": at(-1), "refreshToken": "R1",
           "clientId": "id", "clientSecret": "secret", "registrationExpiresAt": at(40000)}, open(file, "w"))
X
cat > simple.js <<'X'
const { AuthorizationCode } = require("simple-oauth2");
const client = new AuthorizationCode({ client: { id: "id", secret: "secret" }, auth: { tokenHost: `http://127.0.0.1:${require("fs").readFileSync("port")}` } });
(async () => {
  const once = await client.createToken({ access_token: "A1", refresh_token: "R1", expires_in: -1 }).refresh();
  console.log(`simple-oauth2: the value holds ${once.token.refresh_token}`);
  await once.refresh();
})();
X
export AWS_ENDPOINT_URL_SSO_OIDC=http://127.0.0.1:$(cat port)
{
  node simple.js
  echo "sent: $(tr '\n' ' ' < seen)"
  python3 session.py; node --no-warnings -e 'require("@aws-sdk/token-providers").fromSso({ profile: "work" })().then((it) => console.log("refreshed:", it.token))'
  python3 session.py "@aws-sdk/token-providers"
  python3 session.py; python/bin/python -c '
import botocore.session, botocore.tokens
print("refreshed:", botocore.session.Session(profile="work").get_auth_token().get_frozen_token().token)'
  python3 session.py botocore
  echo "sent: $(tr '\n' ' ' < seen)"
} | tee output
diff output - <<'X'
simple-oauth2: the value holds undefined
sent: R1  
refreshed: A2
@aws-sdk/token-providers: the session holds None
refreshed: A2
botocore: the session holds None
sent: R1  R1 R1 
X
