#!/usr/bin/env bash
# Software: @modelcontextprotocol/sdk 1.32.2 (npm), Node.js 20, Client with StreamableHTTPClientTransport.
#
# What was run: an MCP client lists tools twice at the same moment, with an access token that has just become
# old. The server rotates strictly. The provider stores what saveTokens() brings, and forgets what
# invalidateCredentials() names, as the SDK's interface asks.
#
# A good engineer would guess: two calls at once might waste one refresh. One gets the new pair, the other is
# answered invalid_grant and at worst fails. The new pair is in the store, so the next call works.
#
# What happens: each call refreshes on its own, with the same refresh token. The first one saves the new pair.
# The second one is answered invalid_grant, concludes that the stored tokens are bad, and has them deleted:
# but what the store holds by then is the pair of the first. Then a login starts. The grant was alive the
# whole time, and a client that knows nothing of the first call has thrown away its result.
#
# What follows: any client that makes two requests at the end of a token's life may log its user out, and the
# more it is used the sooner. The trace shows a refresh that worked, followed by a login.
#
# How to avoid: let the provider ignore invalidateCredentials("tokens") for some seconds after saveTokens() was
# called: the SDK then reads the store again, refreshes with the new pair, and both calls work. Or hold a lock
# around each use that may refresh. "Delete" belongs to a value, never to a place.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts @modelcontextprotocol/sdk@1.32.2
cat > try.mjs <<'JS'
import http from "node:http";
import { readFileSync } from "node:fs";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const log = (...a) => { trace.push(a.join(" ")); console.log(" ", ...a); };
const trace = [];
let live = "rt1", good = "at1", count = 1, base;
const server = http.createServer(async (req, res) => {
  let body = ""; for await (const part of req) body += part;
  const answer = (status, json, headers = {}) =>
    res.writeHead(status, { "content-type": "application/json", ...headers }).end(json && JSON.stringify(json));
  const path = req.url;
  if (path === "/.well-known/oauth-protected-resource/mcp")
    return answer(200, { resource: base + "/mcp", authorization_servers: [base] });
  if (path === "/.well-known/oauth-authorization-server")
    return answer(200, { issuer: base, authorization_endpoint: base + "/authorize", token_endpoint: base + "/token",
      response_types_supported: ["code"], code_challenge_methods_supported: ["S256"] });
  if (path === "/token") {
    const spent = new URLSearchParams(body).get("refresh_token");
    if (spent !== live) { log("server: refresh with", spent, "-> invalid_grant"); return answer(400, { error: "invalid_grant" }); }
    count++; live = "rt" + count; good = "at" + count;
    log("server: refresh with", spent, "->", live);
    return answer(200, { access_token: good, refresh_token: live, token_type: "Bearer", expires_in: 3600 });
  }
  if (path !== "/mcp" || req.method !== "POST") return answer(path === "/mcp" ? 405 : 404);
  if (req.headers.authorization !== "Bearer " + good) return answer(401, {}, { "www-authenticate": "Bearer" });
  const { id, method } = JSON.parse(body);
  if (id === undefined) return answer(202);
  answer(200, { jsonrpc: "2.0", id, result: method === "tools/list" ? { tools: [] } :
    { protocolVersion: "2025-03-26", capabilities: { tools: {} }, serverInfo: { name: "s", version: "1" } } });
});
await new Promise(done => server.listen(0, "127.0.0.1", done));
base = `http://127.0.0.1:${server.address().port}`;

let stored = { access_token: "at1", refresh_token: "rt1", token_type: "Bearer", issuer: base + "/" };
const provider = {
  redirectUrl: "http://127.0.0.1:9/back",
  clientMetadata: { redirect_uris: ["http://127.0.0.1:9/back"] },
  clientInformation: () => ({ client_id: "k", issuer: base + "/" }),
  tokens: () => stored,
  saveTokens: t => { stored = t; log("store: saved", t.refresh_token); },
  invalidateCredentials: what => { log(`store: told to forget "${what}", it held`, stored?.refresh_token); stored = undefined; },
  saveCodeVerifier() {}, codeVerifier: () => "v",
  redirectToAuthorization: () => log("client: LOGIN wanted"),
};
const client = new Client({ name: "c", version: "1" });
await client.connect(new StreamableHTTPClientTransport(new URL(base + "/mcp"), { authProvider: provider }));
good = "";                                     // the access token has become old
const calls = await Promise.allSettled([client.listTools(), client.listTools()]);
calls.forEach((c, i) => console.log(`  call ${i + 1}:`, c.status === "fulfilled" ? "worked" : "failed: " + c.reason.message));

const sdk = JSON.parse(readFileSync("node_modules/@modelcontextprotocol/sdk/package.json")).version;
console.log("@modelcontextprotocol/sdk", sdk);
console.log("expected: the store holds", live, "- the pair that the server takes");
console.log("the store holds:", stored?.refresh_token ?? "nothing");
const seen = stored === undefined && live === "rt2" && trace.includes("store: saved rt2")
  && trace.includes('store: told to forget "tokens", it held rt2') && trace.includes("client: LOGIN wanted");
console.log(seen ? "SEEN: the loser of two parallel refreshes had the winner's pair deleted" : "NO LONGER SEEN");
process.exit(seen ? 0 : 1);
JS
node try.mjs
