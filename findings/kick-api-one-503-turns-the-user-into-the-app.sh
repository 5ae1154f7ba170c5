#!/usr/bin/env bash
# Software: @nekiro/kick-api 2.1.2 (npm), a client of the streaming platform Kick, on Node.js 20. Its own
# options `baseUrl` and `oauthUrl` lead all requests to the loopback.
#
# What was run: a worker gives the client a stored token of the streamer with setToken(). It has no redirect
# address in its configuration, for it never logs anyone in. The access token is near its end. The token
# endpoint answers 503 once, then is well again. The worker makes two calls.
#
# A good engineer would guess: the first call fails, or is tried again. The second one refreshes with the
# streamer's refresh token, which the server has not yet seen used, and works.
#
# What happens: both calls work, but not as the streamer. After a refresh that fails for any reason, and
# without a redirect address, the client asks for a token of the app itself (client credentials), and puts it
# in the place of the streamer's. The streamer's refresh token is gone from memory, and good at the server. The
# client has no event for this, and both calls return data.
#
# What follows: what the app may read is read as the app, with other rights and other results; what needs the
# streamer fails with 403, which points to scopes and not to an outage. A program that stores "the token of the
# client" at its end writes the app's token over the streamer's. Only a restart from an older copy mends it.
#
# How to avoid: give the client a `redirectUri` even where no login is made: then the failed refresh is an error,
# as tried below. Keep the refresh token outside of the client, and check whose token is in force by its scope.
# Falling back to another identity is never a retry.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts @nekiro/kick-api@2.1.2
cat > try.cjs <<'JS'
const http = require("node:http");
const { client: KickClient } = require("@nekiro/kick-api");

let live = "rt1", count = 1, unwell = false;
const server = http.createServer(async (req, res) => {
  let body = ""; for await (const part of req) body += part;
  const answer = (status, json) => res.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(json));
  if (req.url === "/oauth/token") {
    const q = new URLSearchParams(body), grant = q.get("grant_type"), spent = q.get("refresh_token");
    if (grant === "refresh_token" && unwell) {
      unwell = false;
      console.log("  server:", grant, spent, "-> 503");
      return answer(503, { error: "temporarily_unavailable" });
    }
    if (grant === "client_credentials") {
      console.log("  server:", grant, "-> a token of the app");
      return answer(200, { access_token: "app-at", token_type: "Bearer", expires_in: 7200 });
    }
    if (spent !== live) return answer(400, { error: "invalid_grant" });
    count++; live = "rt" + count;
    console.log("  server:", grant, spent, "->", live);
    return answer(200, { access_token: "streamer-at" + count, refresh_token: live, token_type: "Bearer", expires_in: 7200, scope: "chat:write" });
  }
  console.log("  server: api call as", req.headers.authorization);
  answer(200, { data: [{ id: 1, name: "Games", thumbnail: "" }], message: "ok" });
});
server.listen(0, "127.0.0.1", async () => {
  const base = `http://127.0.0.1:${server.address().port}`;
  const run = async extra => {
    live = "rt1"; count = 1; unwell = true;
    const client = new KickClient({ clientId: "c", clientSecret: "s", baseUrl: base, oauthUrl: base, ...extra });
    client.setToken({ accessToken: "streamer-at1", refreshToken: "rt1", tokenType: "Bearer", scope: "chat:write",
                      expiresIn: 7200, expiresAt: Date.now() + 30_000 });
    const results = [];
    for (const n of [1, 2])
      results.push(await client.categories.getCategories({ q: "games" }).then(() => "worked", e => "failed: " + e.message));
    return [results.join("; "), await client.getAccessToken()];
  };
  console.log("without a redirect address:");
  const [plain, token] = await run({});
  console.log("  calls:", plain, "- the client now holds", token, "- the server still takes", live);
  const lost = live === "rt1";
  console.log("with a redirect address that is never used:");
  const [kept, token2] = await run({ redirectUri: "http://127.0.0.1/unused" });
  console.log("  calls:", kept, "- the client now holds", token2);
  server.close();
  console.log("@nekiro/kick-api", require("./node_modules/@nekiro/kick-api/package.json").version);
  console.log("expected: never a call as the app");
  const seen = lost && plain === "worked; worked" && token === "app-at" && token2 === "streamer-at2";
  console.log(seen ? "SEEN: after one 503 the client works on as the app, without the streamer's refresh token" : "NO LONGER SEEN");
  process.exit(seen ? 0 : 1);
});
JS
timeout 60 node try.cjs
