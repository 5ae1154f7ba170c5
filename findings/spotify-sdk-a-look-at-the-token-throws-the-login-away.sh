#!/usr/bin/env bash
# Software: @spotify/web-api-ts-sdk 1.2.0 (npm), Spotify's own SDK, `SpotifyApi.withUserAuthorization` (PKCE), on Node.js 20.
#
# What was run: a page that a user opens again after more than an hour. The pair is where the SDK has put it, in localStorage: the
# access token has expired, the refresh token is good. The first page calls the API at once. The second one first asks
# `getAccessToken()`, to choose between "log in" and the user's name, and then does the same. The third asks after an API call. Stand-ins
# are used for `window` and localStorage, and a function that rotates strictly plays Spotify's two hosts.
#
# A good engineer would guess: a getter changes nothing. It gives the old token, or refreshes it as each API call does. By its
# comment, null means that nobody is logged in yet.
#
# What happens: it gives null, and deletes the whole entry with the good refresh token from localStorage. No request is sent. The SDK
# takes the way to refresh along with the first API call or `authenticate()`, and knows none before that. An expired
# entry that it cannot refresh is removed. Once an API call was made, the same getter refreshes instead.
#
# What follows: a page that asks whether the user is logged in logs the user out, each time that more than an hour has passed. What it is told
# seems right, since from now on it is. Within the hour, and in each test with a fresh token, the same page works.
#
# How to avoid: before any question, make an API call or call `authenticate()`, which refreshes. This one sends a user who is not
# logged in to Spotify, so look into localStorage yourself if that is not wanted.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
echo '{"type":"module"}' > package.json
npm_config_cache=$dir/npm npm install --silent --no-audit --no-fund --ignore-scripts @spotify/web-api-ts-sdk@1.2.0
cat > pages.js <<'X2'
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

// What a browser has.
const stored = new Map();
globalThis.localStorage = {
  getItem: (key) => stored.get(key) ?? null, setItem: (key, value) => stored.set(key, value), removeItem: (key) => stored.delete(key),
};
globalThis.window = { location: { search: "", href: "http://127.0.0.1/" }, crypto: globalThis.crypto };

// Spotify: only the newest refresh token is taken, only the newest access token is accepted.
let generation = 0;
let trace = [];
const json = (status, answer) => new Response(JSON.stringify(answer), { status, headers: { "content-type": "application/json" } });
const pair = () => ({ access_token: `access-${generation}`, refresh_token: `refresh-${generation}`, token_type: "Bearer", expires_in: 3600 });
globalThis.fetch = async (url, { headers, body }) => {
  const { hostname } = new URL(url);
  if (hostname === "accounts.spotify.com") {
    const spent = new URLSearchParams(body).get("refresh_token");
    const good = spent === `refresh-${generation}`;
    if (good) generation += 1;
    trace.push(`${spent} -> ${good ? `refresh-${generation}` : "invalid_grant"}`);
    return good ? json(200, pair()) : json(400, { error: "invalid_grant" });
  }
  const good = headers.Authorization === `Bearer access-${generation}`;
  return good ? json(200, { id: "user" }) : json(401, { error: { status: 401 } });
};
const { SpotifyApi } = await import("@spotify/web-api-ts-sdk");

const KEY = "spotify-sdk:AuthorizationCodeWithPKCEStrategy:token";
const inStore = () => (stored.has(KEY) ? JSON.parse(stored.get(KEY)).refresh_token : "nothing");
// The access token gets old: the user has been away.
const away = () => stored.set(KEY, JSON.stringify({ ...pair(), expires: Date.now() - 60_000 }));
const open = async (name, ...steps) => {
  trace = [];
  const page = { redirects: 0 };
  const sdk = SpotifyApi.withUserAuthorization("client", "http://127.0.0.1/", ["user-read-email"], {
    redirectionStrategy: { redirect: async () => { page.redirects += 1; }, onReturnFromRedirect: async () => {} },
  });
  page.seen = [`stored: ${inStore()}`];
  for (const step of steps) {
    if (step === "an hour") { away(); continue; }
    const result = step === "API call" ? (await sdk.currentUser.profile())?.id ?? "no user"
      : (await sdk.getAccessToken())?.access_token ?? "null";
    page.seen.push(`${step}: ${result}`, `stored: ${inStore()}`);
  }
  await sleep(200); // the SDK does not wait for its own redirect
  console.log(`${name}: ${page.seen.join(" | ")} | sent: ${trace.join(", ") || "nothing"} | redirects to the login: ${page.redirects}`);
  return { ...page, trace };
};

console.warn = () => {};
const { version } = JSON.parse(readFileSync("node_modules/@spotify/web-api-ts-sdk/package.json"));
console.log("@spotify/web-api-ts-sdk", version);
console.log("expected: the getter leaves the refresh token where it is, and the API call after it works");
generation = 1; away();
const calls = await open("a page that calls", "API call");
generation = 11; away();
const asks = await open("a page that asks first", "getAccessToken()", "API call");
generation = 21; away();
const later = await open("a page that asks later", "API call", "an hour", "getAccessToken()");

const seen = calls.seen.join() === "stored: refresh-1,API call: user,stored: refresh-2"
  && asks.seen.slice(0, 4).join() === "stored: refresh-11,getAccessToken(): null,stored: nothing,API call: no user" && asks.redirects === 1
  && asks.trace.length === 0 && later.seen.at(-2) === "getAccessToken(): access-23" && later.seen.at(-1) === "stored: refresh-23";
console.log(seen ? "SEEN: the getter deleted a good refresh token, and the user has to log in" : "NO LONGER SEEN");
process.exit(seen ? 0 : 1);
X2
node pages.js
