// What is the same for both libraries: the way back from the browser, and the talk with the runner.
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

export const { ISSUER, CLIENT_ID } = process.env;
const REFRESHES = 200;
const PAUSE_AFTER = 50;

const say = (line) => process.stdout.write(JSON.stringify(line) + "\n");
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

// A listener on any port of this machine (RFC 8252 §7.3).
export async function listen() {
  let arrived;
  const callback = new Promise((resolve) => (arrived = resolve));
  const server = createServer((request, response) => {
    response.end("You can close this window.");
    arrived(new URL(request.url, redirectUri));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const redirectUri = `http://127.0.0.1:${server.address().port}/callback`;
  server.unref();
  return { redirectUri, callback };
}

// The person logs in, and comes back to the listener.
export async function logIn(url, callback) {
  say({ open: String(url) });
  return await callback;
}

// A forged way back must be refused before anything is sent.
export async function refuses(url, redeem) {
  const refused = [];
  for (const [name, value] of [["state", "forged"], ["iss", "https://forged.example"], ["iss", null]]) {
    const forged = new URL(url);
    if (value === null) forged.searchParams.delete(name);
    else forged.searchParams.set(name, value);
    await redeem(forged).then(
      () => refused.push(`${name} NOT REFUSED`),
      (error) => refused.push(`${name}: ${error.code ?? error.message}`),
    );
  }
  say({ refused });
}

// Refreshes 200 times. Every 50 times, the token is first used up.
export async function refreshAll(first, refresh) {
  const accessTokens = new Set([first.access_token]);
  let tokens = first;
  for (let number = 1; number <= REFRESHES; number += 1) {
    if (number % PAUSE_AFTER === 0) await sleep((tokens.expires_in + 1) * 1000);
    tokens = await refresh(tokens.refresh_token);
    if (tokens.refresh_token !== first.refresh_token) throw new Error("the handle has changed");
    if (!(tokens.expires_in >= 1)) throw new Error(`expires_in: ${tokens.expires_in}`);
    accessTokens.add(tokens.access_token);
  }
  say({ refreshes: REFRESHES, access_tokens: accessTokens.size, alive: tokens.access_token });
  while ((await lines.next()).value === "again") {
    tokens = await refresh(tokens.refresh_token);
    say({ alive: tokens.access_token });
  }
  return tokens;
}

// What a refresh says after the revocation.
export async function end(refresh, tokens) {
  const error = await refresh(tokens.refresh_token).then(() => null, (error) => error);
  say({ after_revocation: error?.error ?? String(error) });
  process.exit(0);
}
