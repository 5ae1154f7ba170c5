#!/usr/bin/env bash
# Software: jsforce 3.10.16 (npm), a Connection with an OAuth2 client, on Node.js 20.
#
# What was run: a program that does everything right with its store: it listens to the `refresh` event, and
# keeps the newest refresh token that comes with it. The access token becomes old twice in one process, then
# the program is started anew from its store. The server rotates strictly.
#
# A good engineer would guess: the connection that hands out the new refresh token in its own event also goes
# on with it. If something were lost under rotation, it would be lost at a restart.
#
# What happens: it is the other way round. The event carries the whole answer, so the store is right. But the
# connection takes only the access token from that answer and keeps the first refresh token. The second refresh
# of the process sends the spent one and is refused. The restart heals it: the new process reads the store.
#
# What follows: a short job never sees this, nor does a test with one refresh. A long-lived service fails at
# the second life of an access token, hours after its start, with a store in perfect order. On a server that
# takes a second use for theft, that refresh ends the grant, and then the restart heals nothing.
#
# How to avoid: in the `refresh` event, set `connection.refreshToken` to the one in the answer, before you
# store it; or pass a `refreshFn` of your own. A test of rotation needs two refreshes in one process.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts jsforce@3.10.16
cat > try.mjs <<'JS'
import http from "node:http";
import { readFileSync } from "node:fs";
import jsforce from "jsforce";

let live = "rt1", good = "at1", count = 1;
const server = http.createServer(async (req, res) => {
  let body = ""; for await (const part of req) body += part;
  const answer = (status, json) => res.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(json));
  if (req.url === "/services/oauth2/token") {
    const spent = new URLSearchParams(body).get("refresh_token");
    if (spent !== live) {
      console.log("  server: refresh with", spent, "-> invalid_grant");
      return answer(400, { error: "invalid_grant", error_description: "expired access/refresh token" });
    }
    count++; live = "rt" + count; good = "at" + count;
    console.log("  server: refresh with", spent, "->", live);
    return answer(200, { access_token: good, refresh_token: live, instance_url: base, id: base + "/id/org1/user1", token_type: "Bearer" });
  }
  if (req.headers.authorization !== "Bearer " + good)
    return answer(401, [{ message: "Session expired or invalid", errorCode: "INVALID_SESSION_ID" }]);
  answer(200, { ok: true });
});
await new Promise(done => server.listen(0, "127.0.0.1", done));
const base = `http://127.0.0.1:${server.address().port}`;

const store = { accessToken: "at1", refreshToken: "rt1" };
const start = () => {
  const connection = new jsforce.Connection({ ...store, instanceUrl: base,
    oauth2: { loginUrl: base, clientId: "c", clientSecret: "s", redirectUri: "http://127.0.0.1/" } });
  connection.on("refresh", (accessToken, answer) => Object.assign(store, { accessToken, refreshToken: answer.refresh_token }));
  return connection;
};
const call = async (what, connection) => {
  good = "";                                   // the access token has become old
  const result = await connection.request("/limits").then(() => "worked", e => "failed: " + e.message);
  console.log(`${what}: ${result}; store ${store.refreshToken}, connection ${connection.refreshToken}, server ${live}`);
  return result;
};
const first = start();
const results = [await call("first refresh of the process ", first), await call("second refresh of the process", first),
                 await call("first refresh after a restart", start())];
server.close();
console.log("jsforce", JSON.parse(readFileSync("node_modules/jsforce/package.json")).version);
console.log("expected: all three work");
const seen = results[0] === "worked" && results[1].startsWith("failed") && results[2] === "worked";
console.log(seen ? "SEEN: the new refresh token goes to the store, and not to the connection itself" : "NO LONGER SEEN");
process.exit(seen ? 0 : 1);
JS
timeout 60 node try.mjs
