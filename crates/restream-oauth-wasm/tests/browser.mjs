// Tests the npm package's entry for browsers, in a page of headless Chromium, against the example `sandbox`.
//
//     node --test tests/browser.mjs
//
// RESTREAM_PACKAGE is the folder of the built package. RESTREAM_SANDBOX is the address that the example prints.
// `.ci/wasm` sets both.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { basename, extname, join } from "node:path";
import { test } from "node:test";

const { RESTREAM_PACKAGE, RESTREAM_SANDBOX } = process.env;

// Runs in the page: the whole flow, and a refresh with a dead token. The page posts the result back.
const program = async (baseUrl) => {
  const { Client } = await import("/web.js");
  const client = new Client({
    clientId: "wasm-suite",
    clientSecret: "s3cret:+&%",
    redirectUri: "https://app.example/callback",
    baseUrl,
  });
  const login = client.login();
  const approved = await fetch(`${baseUrl}/_sandbox/approve`, { method: "POST", body: login.url });
  const first = await client.exchange(login.readCallback((await approved.json()).callback));
  const second = await client.refresh(first.refreshToken);
  const dead = await client.refresh(first.refreshToken).catch((error) => error);
  const profile = await client.profile(second.accessToken);
  await client.revoke(second.refreshToken);
  const { name, kind, code, delivery, advice } = dead;
  return { id: profile.id, rotated: first.refreshToken !== second.refreshToken, name, kind, code, delivery, advice };
};
const page = `<!doctype html><title>restream-oauth</title><script type="module">
const program = ${program};
const result = await program(${JSON.stringify(RESTREAM_SANDBOX)}).catch((error) => ({ failed: String(error) }));
await fetch("/result", { method: "POST", body: JSON.stringify(result) });
</script>`;
const types = { ".js": "text/javascript", ".wasm": "application/wasm" };

test("the whole flow in a page", { timeout: 60_000 }, async (context) => {
  const result = await new Promise((resolve, reject) => {
    const server = createServer(async (request, response) => {
      if (request.url === "/result") {
        let body = "";
        for await (const chunk of request) body += chunk;
        response.end();
        resolve(JSON.parse(body));
      } else if (request.url === "/") {
        response.setHeader("content-type", "text/html").end(page);
      } else {
        const file = basename(request.url);
        const type = types[extname(file)];
        const bytes = type && (await readFile(join(RESTREAM_PACKAGE, file)).catch(() => undefined));
        if (bytes) response.setHeader("content-type", type).end(bytes);
        else response.writeHead(404).end();
      }
    });
    context.after(() => server.close().closeAllConnections());
    server.listen(0, "127.0.0.1", async () => {
      const profile = await mkdtemp(join(tmpdir(), "restream-oauth-"));
      const options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", `--user-data-dir=${profile}`];
      const address = `http://127.0.0.1:${server.address().port}/`;
      const browser = spawn("chromium", [...options, "--remote-debugging-port=0", address], { stdio: "ignore" });
      browser.on("error", reject).on("exit", () => reject(new Error("the browser ended without a result")));
      context.after(async () => {
        browser.removeAllListeners("exit").kill();
        await new Promise((ended) => browser.on("exit", ended));
        await rm(profile, { recursive: true, force: true, maxRetries: 5 });
      });
    });
  });
  assert.deepEqual(result, {
    id: "1000001",
    rotated: true,
    name: "RoundTripError",
    kind: "refused",
    code: "invalid_grant",
    delivery: "refused",
    advice: "reauthorize",
  });
});
