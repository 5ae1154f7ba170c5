#!/usr/bin/env bash
# Software: @node-oauth/oauth2-server 5.3.0 (npm), the framework behind many Node.js token endpoints, on Node.js 20.
# Contrast: its predecessor oauth2-server 3.1.1 (npm).
#
# What was run: a token endpoint with a model in memory, and a user who has granted `read`. A client refreshes with
# `scope=read chat`, as clients do that send the scopes of their configuration with each refresh. Then the
# configuration is put right, and the client refreshes again with `scope=read` and the same refresh token.
#
# A good engineer would guess: `invalid_scope` (RFC 6749 section 5.2) is said before the server acts. The refused
# refresh costs nothing, and after the correction the same refresh token works.
#
# What happens: the framework revokes the refresh token first, and looks at the requested scope afterwards. The answer
# is a plain 400 `invalid_scope`, and the second refresh gets `invalid_grant`: the user has to log in again. The
# predecessor does not look at the scope of a refresh at all, and both refreshes work.
#
# What follows: a release that adds a scope to its configuration logs every user out within one life of the access
# tokens, and the roll-back does not bring them back. A client that takes `invalid_scope` for "nothing happened" keeps
# a dead token, and finds out at the next refresh.
#
# How to avoid: a client leaves `scope` out of a refresh, which asks for what was granted (RFC 6749 section 6). A server
# compares the requested scope with the stored one before it calls the framework's `token()`.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts @node-oauth/oauth2-server@5.3.0 oauth2-server@3.1.1
cat > try.cjs <<'JS'
const http = require("node:http");

// Starts a token endpoint, and refreshes with each scope in turn, always with the newest refresh token that it has.
async function refreshes(OAuth2Server, scopes, asScope) {
  const client = { id: "app", grants: ["refresh_token"] }, user = { id: "anna" }, tokens = new Map();
  tokens.set("rt1", { refreshToken: "rt1", scope: asScope("read"), client, user });
  let count = 1;
  const model = {
    getClient: async () => client,
    getRefreshToken: async text => tokens.get(text),
    revokeToken: async token => tokens.delete(token.refreshToken),
    generateRefreshToken: async () => "rt" + ++count,
    saveToken: async token => { const saved = { ...token, client, user }; tokens.set(token.refreshToken, saved); return saved; },
  };
  const endpoint = new OAuth2Server({ model });
  const server = http.createServer(async (req, res) => {
    let body = ""; for await (const part of req) body += part;
    const request = new OAuth2Server.Request({ method: req.method, headers: req.headers, query: {}, body: Object.fromEntries(new URLSearchParams(body)) });
    const response = new OAuth2Server.Response({ headers: {} });
    await endpoint.token(request, response).catch(() => {});
    res.writeHead(response.status, { ...response.headers, "content-type": "application/json" }).end(JSON.stringify(response.body));
  });
  await new Promise(done => server.listen(0, "127.0.0.1", done));
  let mine = "rt1"; const seen = [];
  for (const scope of scopes) {
    const body = new URLSearchParams({ grant_type: "refresh_token", client_id: "app", client_secret: "s", refresh_token: mine, scope });
    const answer = await fetch(`http://127.0.0.1:${server.address().port}/token`, { method: "POST", body });
    const json = await answer.json();
    seen.push(json.error ?? "a new pair");
    console.log(`  scope=${scope} with ${mine}: ${answer.status} ${json.error ?? "a new pair"}`);
    mine = json.refresh_token ?? mine;
  }
  server.close();
  return seen.join(", ");
}

(async () => {
  const version = name => require(`./node_modules/${name}/package.json`).version;
  console.log("@node-oauth/oauth2-server", version("@node-oauth/oauth2-server"));
  const seen = await refreshes(require("@node-oauth/oauth2-server"), ["read chat", "read"], text => text.split(" "));
  console.log("expected: invalid_scope, then a new pair");
  console.log("oauth2-server", version("oauth2-server"));
  const before = await refreshes(require("oauth2-server"), ["read chat", "read"], text => text);
  const right = seen === "invalid_scope, invalid_grant" && before === "a new pair, a new pair";
  console.log(right ? "SEEN: a refresh that is refused for its scope has spent the refresh token" : "NO LONGER SEEN");
  process.exit(right ? 0 : 1);
})();
JS
timeout 60 node try.cjs
