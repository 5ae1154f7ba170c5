#!/usr/bin/env bash
# Software: @node-oauth/oauth2-server 5.3.0 and oidc-provider 9.13.3 (npm), two frameworks behind token endpoints, on
# Node.js 20. Contrast: oauth2-server 3.1.1 (npm), from which the first one was forked.
#
# What was run: a user has granted `read`, at one API. A client refreshes with a wrong setting: a `scope` that was not
# granted, or a `resource` (RFC 8707) that was not. Then the setting is put right, and the client refreshes again with
# the newest refresh token that it has. Every store is in memory and answers at once.
#
# A good engineer would guess: `invalid_scope` and `invalid_target` are said before the server acts. The refused refresh
# costs nothing, and after the correction the same refresh token works.
#
# What happens: @node-oauth/oauth2-server revokes the refresh token first, and looks at the requested scope afterwards. The
# corrected refresh gets `invalid_grant`. oidc-provider looks at the scope in time, and that refusal costs nothing. But it
# looks at the resource after it has rotated: the new refresh token is stored and told to nobody, the corrected
# refresh counts as the second use of the old one, and ends the whole grant. oauth2-server does not look at either.
#
# What follows: a release with one wrong word in its configuration logs every user out within one life of the access
# tokens, and the roll-back does not bring them back. A client that takes each 4xx with an OAuth error for "nothing
# happened" keeps a dead token, and finds out at the next refresh.
#
# How to avoid: a client leaves `scope` and `resource` out of a refresh, which asks for what was granted (RFC 6749
# section 6). A server compares them with the stored token before it calls the framework.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts @node-oauth/oauth2-server@5.3.0 oauth2-server@3.1.1 oidc-provider@9.13.3
cat > try.mjs <<'JS'
import http from "node:http";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { Provider } from "oidc-provider";

const require = createRequire(import.meta.url);
const version = name => `${name} ${JSON.parse(readFileSync(`node_modules/${name}/package.json`)).version}`;

// Starts a server, and refreshes with each of these parameters in turn, with the newest refresh token that it has.
async function refreshes(name, listener, token, all) {
  const server = http.createServer(listener);
  await new Promise(done => server.listen(0, "127.0.0.1", done));
  const seen = [];
  console.log(version(name));
  for (const parameters of all) {
    const body = new URLSearchParams({ grant_type: "refresh_token", client_id: "app", client_secret: "s", refresh_token: token, ...parameters });
    const answer = await fetch(`http://127.0.0.1:${server.address().port}/token`, { method: "POST", body });
    const json = await answer.json();
    seen.push(json.error ?? "a new pair");
    console.log(`  refresh with ${JSON.stringify(parameters)}: ${answer.status} ${json.error ?? "a new pair"}`);
    token = json.refresh_token ?? token;
  }
  server.close();
  return seen.join(", ");
}

// A token endpoint with a model in memory.
function framework(name, asScope) {
  const OAuth2Server = require(name);
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
  return async (req, res) => {
    let body = ""; for await (const part of req) body += part;
    const request = new OAuth2Server.Request({ method: req.method, headers: req.headers, query: {}, body: Object.fromEntries(new URLSearchParams(body)) });
    const response = new OAuth2Server.Response({ headers: {} });
    await endpoint.token(request, response).catch(() => {});
    res.writeHead(response.status, { ...response.headers, "content-type": "application/json" }).end(JSON.stringify(response.body));
  };
}

// A provider with its store in memory, and the refresh token of a login that was made before.
async function provider() {
  const api = "https://api.example";
  const provider = new Provider("http://127.0.0.1", {
    clients: [{ client_id: "app", client_secret: "s", grant_types: ["authorization_code", "refresh_token"], redirect_uris: ["https://app.example/callback"], token_endpoint_auth_method: "client_secret_post" }],
    rotateRefreshToken: true,
    scopes: ["openid", "offline_access", "read", "chat"],
    findAccount: (_, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
    features: { devInteractions: { enabled: false }, resourceIndicators: { enabled: true, useGrantedResource: () => true, getResourceServerInfo: () => ({ scope: "read" }) } },
  });
  const grant = new provider.Grant({ accountId: "anna", clientId: "app" });
  grant.addOIDCScope("openid offline_access");
  grant.addResourceScope(api, "read");
  const grantId = await grant.save();
  const client = await provider.Client.find("app");
  const login = new provider.RefreshToken({ accountId: "anna", client, grantId, gty: "authorization_code", scope: "openid offline_access read", resource: api, rotations: 0 });
  return [provider.callback(), await login.save(), () => provider.Grant.find(grantId)];
}

console.info = console.warn = () => {};
const [listener, token, grant] = await provider();
const scope = ["read chat", "read"].map(scope => ({ scope }));
const seen = {
  node: await refreshes("@node-oauth/oauth2-server", framework("@node-oauth/oauth2-server", text => text.split(" ")), "rt1", scope),
  provider: await refreshes("oidc-provider", listener, token,
    [{ scope: "read chat" }, { scope: "read" }, { resource: "https://other.example" }, { resource: "https://api.example" }]),
  old: await refreshes("oauth2-server", framework("oauth2-server", text => text), "rt1", scope),
};
const ended = await grant() === undefined;
console.log("the grant at oidc-provider", ended ? "has ended" : "lives");
console.log("expected: after each refusal, a new pair");
const right = ended && seen.node === "invalid_scope, invalid_grant" &&
  seen.old === "a new pair, a new pair" && seen.provider === "invalid_scope, a new pair, invalid_target, invalid_grant";
console.log(right ? "SEEN: a refresh that is refused for its scope or resource has spent the refresh token" : "NO LONGER SEEN");
process.exit(right ? 0 : 1);
JS
timeout 60 node try.mjs 2>errors || { cat errors; exit 1; }
