#!/usr/bin/env bash
# Software: intuit-oauth 4.2.5 (npm), Intuit's own OAuth client for QuickBooks, on Node.js 20.
#
# What was run: a service has one `OAuthClient` and two companies. At night it calls `refreshUsingToken` for each company, notes the
# two answers, and then stores `answer.getToken()` of each. The calls are made one after the other. In a second run they are made at
# once, and each job stores its answer after a short wait, for a lock or a connection of its database. The next night it does the same
# with what is stored. The token endpoint is on loopback, and rotates strictly. Nothing fails in the first night.
#
# A good engineer would guess: the answer to a request is what the server sent for that request. `refreshUsingToken` takes the refresh
# token as an argument, so that one client can serve many companies, and its documentation prints `getToken()` of the answer.
#
# What happens: an answer holds no tokens of its own. Its `getToken()` reads the client's only token object, and each refresh writes
# over that. So both answers give the pair of the company that was refreshed last. The pair of the first company is stored nowhere, and
# its row has the pair of the second one. Only what is read before anything else is waited for is right, as in the documentation's lines.
#
# What follows: one company's refresh token is lost, and the other's is in two rows. In the second night one row spends it and is given
# a new pair, and the other row is refused. So one wrong read costs the logins of two companies: one has no token left, and the
# living token of the other may be in the wrong row. With one company, or with one company at a time, each test passes.
#
# How to avoid: store `answer.json`, which is the body of this answer, together with the id of the company that you asked for. Or make an
# `OAuthClient` for each company and each refresh.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
echo '{"type":"module"}' > package.json
npm_config_cache=$dir/npm npm install --silent --no-audit --no-fund --ignore-scripts intuit-oauth@4.2.5 axios@1.18.1
cat > nights.js <<'X2'
import http from "node:http";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { readFileSync } from "node:fs";
import OAuthClient from "intuit-oauth";

// The server: a refresh token is COMPANY-RUN-GENERATION, and only the newest one of a company and run is taken.
const live = new Map();
let trace = [];
const server = http.createServer(async (request, response) => {
  let body = "";
  for await (const chunk of request) body += chunk;
  const spent = new URLSearchParams(body).get("refresh_token");
  const [company, run, generation] = spent.split("-");
  const good = (live.get(`${company}-${run}`) ?? "1") === generation;
  const next = `${company}-${run}-${Number(generation) + 1}`;
  if (good) live.set(`${company}-${run}`, String(Number(generation) + 1));
  trace.push(`${spent} -> ${good ? next : "invalid_grant"}`);
  const pair = { access_token: `access-${next}`, refresh_token: next, token_type: "bearer", expires_in: 3600, x_refresh_token_expires_in: 8640000 };
  response.writeHead(good ? 200 : 400, { "content-type": "application/json" }).end(JSON.stringify(good ? pair : { error: "invalid_grant" }));
});
server.listen(0, "127.0.0.1");
await once(server, "listening");
const here = `http://127.0.0.1:${server.address().port}`;

const client = new OAuthClient({ clientId: "client", clientSecret: "secret", environment: "sandbox", redirectUri: `${here}/back` });
client.setAuthorizeURLs({ authorizeEndpoint: here, tokenEndpoint: `${here}/token`, revokeEndpoint: here, userInfoEndpoint: here });

const ways = {
  "one after the other": async (rows, read) => {
    const answers = [];
    for (const row of rows) answers.push(await client.refreshUsingToken(row.token).catch(() => undefined));
    rows.forEach((row, i) => { row.token = answers[i] ? read(answers[i]) : "refused"; });
  },
  "at once": (rows, read) => Promise.all(rows.map(async (row) => {
    const answer = await client.refreshUsingToken(row.token).catch(() => undefined);
    await sleep(100); // a lock, or a connection of the database
    row.token = answer ? read(answer) : "refused";
  })),
  "at once, read before any wait": (rows, read) => Promise.all(rows.map(async (row) => {
    row.token = await client.refreshUsingToken(row.token).then(read, () => "refused");
  })),
};
const readers = { "getToken()": (answer) => answer.getToken().refresh_token, "json": (answer) => answer.json.refresh_token };

const { version } = JSON.parse(readFileSync("node_modules/intuit-oauth/package.json"));
console.log("intuit-oauth", version);
console.log("expected: each row has the newest refresh token of its own company, after both nights");
const outcomes = {};
let run = 0;
for (const [name, refreshAll] of Object.entries(ways)) {
  for (const [what, read] of Object.entries(readers)) {
    run += 1; trace = [];
    const rows = ["first", "second"].map((company) => ({ company, token: `${company}-${run}-1` }));
    const nights = [];
    for (const night of [1, 2]) {
      await refreshAll(rows, read);
      nights.push(rows.map((row) => `${row.company} has ${row.token}`));
    }
    outcomes[`${name}, ${what}`] = nights;
    console.log(`${name}, stored from ${what}:`);
    console.log(`  after night 1: ${nights[0].join("; ")}`);
    console.log(`  after night 2: ${nights[1].join("; ")}`);
    console.log(`  server: ${trace.join(", ")}`);
  }
}
server.close();
const own = (nights) => nights[1].every((line) => /^(\w+) has \1-\d-3$/.test(line));
const mixed = (nights) => nights[0].filter((line) => !/^(\w+) has \1-/.test(line)).length === 1 && nights[1].some((line) => line.endsWith("refused"));
const seen = Object.entries(outcomes).every(([key, nights]) => (/json$|before any wait/.test(key) ? own(nights) : mixed(nights)));
console.log(seen ? "SEEN: the answer for one company gives the pair of the other, and its own pair is lost" : "NO LONGER SEEN");
process.exit(seen ? 0 : 1);
X2
node nights.js
