#!/usr/bin/env bash
# Software: google-auth-library 10.9.1 (npm), its OAuth2Client with other endpoints, on Node.js 20.
#
# What was run: three columns of this client's row in the table of clients, without the rest of that table's machinery.
# The token endpoint rotates strictly. 1: the access token becomes old twice in one process. 2: the first refresh is
# answered without a refresh token, as RFC 6749 section 6 allows. 3: the endpoint rotates, and the connection ends before
# the answer.
#
# A good engineer would guess: a client that keeps its refresh token when an answer has none can also replace it when
# an answer has one. And a POST that may have been acted on is not sent again without being asked.
#
# What happens: it is the other way round twice. The new refresh token is in the event `tokens`, but the client goes on
# with the first one, and the second refresh is refused. A lost refresh is sent a second time, without a word. The
# server has rotated by then, so the program is told `invalid_grant`, and never that an answer was lost.
#
# What follows: Google does not rotate, so nothing shows there. With a server that does, a program that takes
# `invalid_grant` for the end of a login asks the user to log in again after one lost connection.
#
# How to avoid: listen to `tokens`, store the refresh token, and set it as `client.credentials.refresh_token` before the
# next call. Treat the first `invalid_grant` as a refresh in doubt.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts google-auth-library@10.9.1
cat > try.mjs <<'JS'
import http from "node:http";
import { OAuth2Client } from "google-auth-library";

let live, good, count, omit, lose, sent;
const server = http.createServer(async (req, res) => {
  let body = ""; for await (const part of req) body += part;
  const answer = (status, json) => res.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(json));
  if (req.url !== "/token") return answer(req.headers.authorization === "Bearer " + good ? 200 : 401, {});
  const spent = new URLSearchParams(body).get("refresh_token");
  if (spent !== live) { sent.push(spent + ": refused"); return answer(400, { error: "invalid_grant" }); }
  count++; good = "at" + count;
  if (omit) { omit = false; sent.push(spent + ": kept"); return answer(200, { access_token: good, expires_in: 1, token_type: "Bearer" }); }
  live = "rt" + count;
  if (lose) { lose = false; sent.push(spent + ": " + live + ", lost"); return req.socket.destroy(); }
  sent.push(spent + ": " + live);
  answer(200, { access_token: good, refresh_token: live, expires_in: 1, token_type: "Bearer" });
});
await new Promise(done => server.listen(0, "127.0.0.1", done));
const base = `http://127.0.0.1:${server.address().port}`;

const run = async (name, set) => {
  ({ live, good, count, omit, lose, sent } = { live: "rt1", good: "at1", count: 1, omit: false, lose: false, sent: [], ...set });
  const client = new OAuth2Client({ clientId: "c", clientSecret: "s", endpoints: { oauth2TokenUrl: base + "/token" } });
  client.setCredentials({ access_token: "at1", refresh_token: "rt1", expiry_date: Date.now() - 60_000 });
  const calls = [];
  for (const _ of lose ? [1] : [1, 2]) {
    calls.push(await client.request({ url: base + "/api" }).then(() => "worked", e => e.response?.data?.error ?? e.code ?? e.name));
    client.credentials.expiry_date = Date.now() - 60_000;
  }
  console.log(`${name} | ${sent.join("; ")} | calls: ${calls.join(", ")}`);
};
await run("rotates", {});
await run("omits", { omit: true });
await run("loses", { lose: true });
process.exit();
JS
echo "expected: the second refresh uses rt2, and a lost refresh is sent once"
out=$(timeout 60 node try.mjs)
echo "$out"
want='rotates | rt1: rt2; rt1: refused | calls: worked, invalid_grant
omits | rt1: kept; rt1: rt3 | calls: worked, worked
loses | rt1: rt2, lost; rt1: refused | calls: invalid_grant'
if [[ $out == "$want" ]]; then echo "SEEN: google-auth-library 10.9.1 keeps the spent token, and sends a lost refresh again"; else echo "NOT SEEN: the behaviour has changed"; exit 1; fi
