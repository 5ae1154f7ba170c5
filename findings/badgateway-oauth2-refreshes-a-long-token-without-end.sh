#!/usr/bin/env bash
# Software: @badgateway/oauth2-client 3.3.1 (npm), its `OAuth2Fetch` with the defaults, and Node 18 or later.
#
# What was run: a program asks for one access token, and does nothing more for three seconds. The token service on loopback rotates
# refresh tokens. Its access tokens live for 24 days, and then for 30 days, as some providers' do.
#
# A good engineer would guess: a longer life means fewer refreshes. In three seconds there is one: that of the expired token
# with which the program began.
#
# What happens: with 24 days there is one. With 30 days there are hundreds: the library sets a timer for one minute before
# the end, and a timer of JavaScript counts milliseconds in 32 bits with a sign, so anything over 24.8 days fires at once. The
# new token lives for 30 days again. Node warns (`TimeoutOverflowWarning`); the library says nothing, since every refresh succeeds.
#
# What follows: a token service that raises the life of its tokens is flooded by each client that is idle, each with
# a new refresh token each time; the store of the program is written as often. A process that ends then has most
# likely just sent a refresh token whose answer it will not see.
#
# How to avoid: `scheduleRefresh: false`; a call then refreshes a token that has expired. Cap what you hand to `setTimeout`.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
npm_config_cache=$dir/npm npm install --silent --no-save @badgateway/oauth2-client@3.3.1
cat > program.mjs <<'X'
import http from "node:http";
import { OAuth2Client, OAuth2Fetch } from "@badgateway/oauth2-client";
const days = Number(process.argv[2]);
let refreshes = 0;
const service = http.createServer((request, response) => {
  request.resume().on("end", () => {
    refreshes++;
    response.setHeader("Content-Type", "application/json");
    response.end(JSON.stringify({ access_token: "A" + refreshes, token_type: "bearer", expires_in: days * 86400, refresh_token: "R" + refreshes }));
  });
});
await new Promise((started) => service.listen(0, "127.0.0.1", started));
const client = new OAuth2Client({ server: `http://127.0.0.1:${service.address().port}`, clientId: "id", clientSecret: "secret", tokenEndpoint: "/token" });
let stored = 0;
const program = new OAuth2Fetch({
  client,
  getStoredToken: async () => ({ accessToken: "A0", refreshToken: "R0", expiresAt: Date.now() - 1000 }),
  storeToken: () => { stored++; },
  getNewToken: () => { throw new Error("nobody is there to log in"); },
});
await program.getAccessToken();
await new Promise((later) => setTimeout(later, 3000));
const count = (n) => (n === 1 ? "one" : n > 50 ? "more than 50" : String(n));
console.log(`${days} days: refreshes in 3 s: ${count(refreshes)}, stored: ${count(stored)}`);
process.exit();
X
{ node --no-warnings program.mjs 24; node --no-warnings program.mjs 30; } | tee output
diff output - <<'X'
24 days: refreshes in 3 s: one, stored: one
30 days: refreshes in 3 s: more than 50, stored: more than 50
X
