#!/usr/bin/env bash
# Software: openid-client 5.7.1 (npm, the last of its major) with jose 4.15.9 for the provider's side, and Node 18 or later.
#
# What was run: a provider that rotates refresh tokens answers a refresh with a new pair and an `id_token`, as OpenID Connect Core
# (section 12.2) allows. The program has started a moment ago, so the library has not fetched the provider's keys yet, and the
# address of the keys answers 503 for once. The program refreshes, gets an error, and refreshes again, when all is well.
#
# A good engineer would guess: the token endpoint has answered over TLS, the pair is there. What cannot be checked yet is the
# `id_token`, which nobody needs for a call: the pair is returned, or the error carries it.
#
# What happens: `refresh` rejects with "expected 200 OK, got: 503 Service Unavailable". It is the class of errors that the token
# endpoint's own answers have, it does not say that it was the address of the keys, and the pair is nowhere in it. The second
# refresh sends R1, which is spent.
#
# What follows: a short failure of an endpoint that has nothing to do with tokens ends the grant. To the program it looks as if the
# token endpoint had been away, so trying again looks safe. A process that starts while a provider recovers is most likely to see it.
#
# How to avoid: do not ask for the scope `openid` where only API calls are wanted. Otherwise use version 6, which checks no
# signature of what the token endpoint sends unless told to.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
npm_config_cache=$dir/npm npm install --silent --no-save openid-client@5.7.1 jose@4.15.9
cat > program.js <<'X'
const http = require("http"), jose = require("jose"), { Issuer } = require("openid-client");
(async () => {
  const keys = await jose.generateKeyPair("RS256");
  const key = { ...(await jose.exportJWK(keys.publicKey)), kid: "1", alg: "RS256", use: "sig" };
  const spent = new Set(), sent = [];
  let keysAway = true, base;
  const provider = http.createServer((request, response) => {
    const answer = (status, body) => response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(body));
    if (request.url === "/keys") return keysAway ? answer(503, {}) : answer(200, { keys: [key] });
    let body = "";
    request.on("data", (piece) => (body += piece)).on("end", async () => {
      const token = new URLSearchParams(body).get("refresh_token");
      sent.push(token);
      if (spent.has(token)) return answer(400, { error: "invalid_grant" });
      spent.add(token);
      const id_token = await new jose.SignJWT({}).setProtectedHeader({ alg: "RS256", kid: "1" }).setIssuer(base)
        .setAudience("id").setSubject("user").setIssuedAt().setExpirationTime("1h").sign(keys.privateKey);
      answer(200, { access_token: "A2", token_type: "Bearer", expires_in: 3600, refresh_token: "R2", id_token });
    });
  });
  await new Promise((started) => provider.listen(0, "127.0.0.1", started));
  base = `http://127.0.0.1:${provider.address().port}`;
  const issuer = new Issuer({ issuer: base, token_endpoint: `${base}/token`, jwks_uri: `${base}/keys` });
  const client = new issuer.Client({ client_id: "id", client_secret: "secret" });
  for (let time = 1; time <= 2; time++) {
    try {
      console.log("refreshed:", (await client.refresh("R1")).refresh_token);
    } catch (error) {
      const everything = JSON.stringify(error, Object.getOwnPropertyNames(error)) + JSON.stringify(error.response?.body ?? "");
      console.log(`${error.name}: ${error.message}; the new token is in it: ${everything.includes("R2")}`);
    }
    keysAway = false;
  }
  console.log("sent:", sent.join(" "));
  provider.close();
})();
X
node program.js | tee output
diff output - <<'X'
OPError: expected 200 OK, got: 503 Service Unavailable; the new token is in it: false
OPError: invalid_grant; the new token is in it: false
sent: R1 R1
X
