#!/usr/bin/env bash
# Software: @twurple/auth and @twurple/api 8.2.0 (npm), RefreshingAuthProvider and ApiClient, on Node.js 20.
# The library's own setting for the Twitch CLI's mock server leads all requests to the loopback.
#
# What was run: after a first call that works, the server takes this access token no more, though by its
# lifetime it is good for an hour. The program makes two API calls at once, and one more afterwards. The server
# takes each refresh token once.
#
# A good engineer would guess: the provider has a token fetcher that joins parallel requests, so there is one
# refresh. At worst the second is refused, that call fails, and the new pair of the first serves the next.
#
# What happens: the joining covers the tokens that end by the clock. After a 401 each call refreshes by itself,
# with the same refresh token. The first one has a new pair, which is in memory and goes out in onRefresh. The
# second one is refused, and the provider notes: "refresh failed for this user". This note is looked at before
# the token. From now on every call of this user fails without any request, though the pair in memory is good.
#
# What follows: the bot is silent until it is started again, and a look into the store shows a healthy pair.
# The note is made for each failure, of whatever kind, so one 503 has the same effect.
#
# How to avoid: listen to onRefreshFailure, read the newest pair from your store, and call addUser() again,
# which clears the note. Or put a lock of your own before calls that may see a 401. A note of failure must name
# the refresh token that failed, not the user.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts @twurple/auth@8.2.0 @twurple/api@8.2.0
cat > try.mjs <<'JS'
import http from "node:http";
import { readFileSync } from "node:fs";
import { RefreshingAuthProvider } from "@twurple/auth";
import { ApiClient } from "@twurple/api";

let live = "rt1", good = "at1", count = 1, requests = 0;
const server = http.createServer((req, res) => {
  requests++;
  const limits = { "ratelimit-limit": "800", "ratelimit-remaining": "790", "ratelimit-reset": String(Date.now() / 1000 + 60 | 0) };
  const answer = (status, json) =>
    res.writeHead(status, { "content-type": "application/json", ...limits }).end(JSON.stringify(json));
  const url = new URL(req.url, "http://x");
  if (url.pathname === "/auth/token") {
    const spent = url.searchParams.get("refresh_token");
    if (spent !== live) {
      console.log("  server: refresh with", spent, "-> refused");
      return answer(400, { status: 400, message: "Invalid refresh token" });
    }
    count++; live = "rt" + count; good = "at" + count;
    console.log("  server: refresh with", spent, "->", live);
    return answer(200, { access_token: good, refresh_token: live, expires_in: 14000, scope: [], token_type: "bearer" });
  }
  const ok = req.headers.authorization === "Bearer " + good;
  console.log("  server: api call with", req.headers.authorization, "->", ok ? 200 : 401);
  ok ? answer(200, { data: [{ id: "7", login: "anna", display_name: "Anna" }] })
     : answer(401, { error: "Unauthorized", status: 401, message: "Invalid OAuth token" });
});
await new Promise(done => server.listen(0, "localhost", done));
process.env.TWURPLE_MOCK_API_PORT = String(server.address().port);

const provider = new RefreshingAuthProvider({ clientId: "c", clientSecret: "s" });
let stored = "rt1";
provider.onRefresh((user, token) => { stored = token.refreshToken; });
provider.addUser("7", { accessToken: "at1", refreshToken: "rt1", scope: [], expiresIn: 3600, obtainmentTimestamp: Date.now() });
const api = new ApiClient({ authProvider: provider, logger: { minLevel: "critical" } });
const call = () => api.users.getAuthenticatedUser("7").then(u => "worked for " + u.name, e => "failed: " + e.constructor.name);

await call();                                  // all is well
good = "";                                     // now the server takes this access token no more
const both = await Promise.all([call(), call()]);
const before = requests;
const later = await call();
const sent = requests - before;
server.close();

console.log("@twurple/auth", JSON.parse(readFileSync("node_modules/@twurple/auth/package.json")).version);
console.log("two calls at once:", both.join("; "));
console.log("expected of the next call: it works, with the new pair (store:", stored + ", server:", live + ")");
console.log("the next call:", later, "- requests sent for it:", sent);
const seen = stored === "rt2" && live === "rt2" && sent === 0 && later === "failed: CachedRefreshFailureError";
console.log(seen ? "SEEN: the user is locked out in this process, with a good pair in memory and in the store" : "NO LONGER SEEN");
process.exit(seen ? 0 : 1);
JS
timeout 60 node try.mjs
