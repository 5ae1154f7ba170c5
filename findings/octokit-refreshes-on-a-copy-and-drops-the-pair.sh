#!/usr/bin/env bash
# Software: @octokit/auth-oauth-user 6.0.4 with @octokit/core 7.0.6 (npm), with Node 20.
#
# What was run: the user token of a GitHub App, whose eight hours have passed when the program makes its next calls. Octokit has the
# pair, its times and `onTokenCreated`, and calls `GET /user` twice. The server in GitHub's place rotates strictly.
#
# A good engineer would guess: the first call refreshes and tells `onTokenCreated` of the new pair, the second call uses it.
#
# What happens: the first call refreshes, and succeeds with the new access token. The second one refreshes again, with the refresh
# token that the first has spent, and fails. `onTokenCreated` is never called. The hook that signs each request passes a copy of the
# state to the function that refreshes, so what is written there ends with the request; and only `auth({ type: "refresh" })`, when a
# program asks for it, tells anybody.
#
# What follows: the first request after the end of a token is the last one. The new pair was in no variable that a program can read,
# so neither a retry nor a restart helps, and the user has to log in. A test with one request passes.
#
# How to avoid: refresh yourself, by `await octokit.auth({ type: "refresh" })` before `expiresAt` has passed. That one works on the
# state itself, and calls `onTokenCreated`. To save the pair there is the only way to have it.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
echo '{"type":"module"}' > package.json
npm_config_cache=$dir/npm npm install --silent --ignore-scripts @octokit/auth-oauth-user@6.0.4 @octokit/core@7.0.6
cat > calls.js <<'X2'
import http from "node:http";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { Octokit } from "@octokit/core";
import { createOAuthUserAuth } from "@octokit/auth-oauth-user";

let generation = 1;
const refreshes = [];
const server = http.createServer(async (request, response) => {
  let body = "";
  for await (const chunk of request) body += chunk;
  let [status, answer] = [200, { login: "user" }];
  if (request.url === "/login/oauth/access_token") {
    const spent = JSON.parse(body).refresh_token;
    if (spent === `refresh-${generation}`) {
      generation += 1;
      answer = { access_token: `access-${generation}`, expires_in: 28800, refresh_token: `refresh-${generation}`, refresh_token_expires_in: 15811200, scope: "", token_type: "bearer" };
    } else {
      answer = { error: "bad_refresh_token", error_description: "The refresh token passed is incorrect or expired." };
    }
    refreshes.push(`${spent}: ${answer.error ?? answer.refresh_token}`);
  } else if (request.headers.authorization !== `token access-${generation}`) {
    [status, answer] = [401, { message: "Bad credentials" }];
  }
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(answer));
});
server.listen(0, "127.0.0.1");
await once(server, "listening");

const told = [];
const program = (expiresAt) => new Octokit({
  baseUrl: `http://127.0.0.1:${server.address().port}/api/v3`,
  authStrategy: createOAuthUserAuth,
  auth: {
    clientType: "github-app", clientId: "client", clientSecret: "secret", token: `access-${generation}`, refreshToken: `refresh-${generation}`,
    expiresAt, refreshTokenExpiresAt: "2100-01-01T00:00:00Z", onTokenCreated: ({ refreshToken }) => told.push(refreshToken),
  },
});
const call = (octokit) => octokit.request("GET /user").then(({ status }) => status, ({ message }) => message.match(/bad_refresh_token/)?.[0] ?? message);

const octokit = program("2020-01-01T00:00:00Z");
const outcomes = [await call(octokit), await call(octokit)];
const version = JSON.parse(readFileSync("node_modules/@octokit/auth-oauth-user/package.json")).version;
console.log("@octokit/auth-oauth-user", version);
console.log("expected: two good calls with one refresh, and onTokenCreated is told of refresh-2");
console.log("calls:", outcomes.join(", "));
console.log("refreshes:", refreshes.join(", "));
console.log("onTokenCreated was told of:", told.join(", ") || "nothing");

// The other way: the program asks for the refresh.
const careful = program("2100-01-01T00:00:00Z");
await careful.auth({ type: "refresh" });
const afterwards = [await call(careful), told.join(", ")];
console.log("when the program asks for the refresh:", afterwards.join(", told of "));
server.close();
const seen = outcomes.join() === "200,bad_refresh_token" && refreshes[1] === "refresh-1: bad_refresh_token" && afterwards.join() === "200,refresh-3";
console.log(seen ? "SEEN: the second call sends a spent refresh token, and nobody has the new pair" : "NO LONGER SEEN");
process.exit(seen ? 0 : 1);
X2
node calls.js
