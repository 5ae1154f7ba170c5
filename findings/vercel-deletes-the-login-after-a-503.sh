#!/usr/bin/env bash
# Software: vercel 60.1.3 (npm, the command line of Vercel), with Node 20. In 64.0.2, by its source, the same answers empty the login, too.
#
# What was run: `vercel whoami` with a stored login whose access token has expired. In the place of the network is a function that
# plays vercel.com (a replaced `fetch`): discovery and the API answer well. The token endpoint, which rotates, answers well; or 503 or
# 429 with the JSON of a gateway; or the connection breaks after the request, so that nobody knows whether the token is spent.
#
# A good engineer would guess: 503 and 429 are errors of this run, the next one tries again; only `invalid_grant` ends a login. After
# a broken connection one request has been sent.
#
# What happens: any JSON that is not a token answer counts as the end of the login: the file with the refresh token is deleted,
# without a word unless `--debug` is given, and the command goes on without a token. After a broken connection the
# same refresh token is sent seven times more, and the file stays.
#
# What follows: a minute of overload at the provider logs out each machine whose token expires in it, build servers too. After a
# lost answer each repetition uses a spent token, and the `invalid_grant` for it deletes the file.
#
# How to avoid: on machines without a person, use a token of its own (`VERCEL_TOKEN`), which is not refreshed. Keep a copy of
# auth.json only to look at: a restored refresh token may be spent.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
echo '{}' > package.json
npm_config_cache=$dir/npm npm install --silent --ignore-scripts vercel@60.1.3
cat > network.cjs <<'X'
const fs = require("fs");
const answer = (status, body) => new Response(JSON.stringify(body), { status, headers: { "Content-Type": "application/json" } });
const endpoints = ["device_authorization", "token", "revocation", "introspection"].map((name) => [`${name}_endpoint`, `https://vercel.com/${name}`]);
globalThis.fetch = async (input, options) => {
  const { pathname } = new URL(input.url ?? input);
  if (pathname.includes("/.well-known/")) return answer(200, { issuer: "https://vercel.com/", jwks_uri: "https://vercel.com/keys", ...Object.fromEntries(endpoints) });
  if (pathname !== "/token") return answer(200, { user: { id: "1", username: "somebody", email: "somebody@example.com" } });
  fs.appendFileSync("sent", new URLSearchParams(String(options.body)).get("refresh_token") + " ");
  switch (process.env.TOKEN_ENDPOINT) {
    case "503": return answer(503, { error: { code: "unavailable", message: "try again later" } });
    case "429": return answer(429, { error: { code: "rate_limited", message: "too many requests" } });
    case "broken": throw new TypeError("fetch failed", { cause: new Error("other side closed") });
    default: return answer(200, { access_token: "A2", token_type: "Bearer", expires_in: 3600, refresh_token: "R2" });
  }
};
X
for mode in well 503 429 broken; do
  rm -rf login; mkdir login; : > sent
  echo '{"token":"A1","refreshToken":"R1","expiresAt":1700000000}' > login/auth.json; echo '{}' > login/config.json
  TOKEN_ENDPOINT=$mode VERCEL_TELEMETRY_DISABLED=1 NODE_OPTIONS="--require $dir/network.cjs" \
    node node_modules/vercel/dist/vc.js whoami --global-config "$dir/login" </dev/null >/dev/null 2>&1 || true
  kept=$(grep -o 'R[0-9]' login/auth.json 2>/dev/null || echo "no file")
  echo "$mode: sent $(cat sent), in auth.json: $kept"
done | tee output
diff output - <<'X'
well: sent R1 , in auth.json: R2
503: sent R1 , in auth.json: no file
429: sent R1 , in auth.json: no file
broken: sent R1 R1 R1 R1 R1 R1 R1 R1 , in auth.json: R1
X
