// Tests the npm package in Node, Deno and Bun, as a program would use it, against the example `sandbox`.
//
//     node --test javascript.mjs
//     deno test --allow-all --no-check javascript.mjs
//     bun test ./javascript.mjs
//
// Run a command in a folder in which the package is installed, with the variables that the example prints. `.ci/wasm`
// does that.
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { Client, stateOf } from "restream-oauth";

const { RESTREAM_SANDBOX, RESTREAM_GONE } = process.env;
const { Bun, Deno } = globalThis;

const options = {
  clientId: "wasm-suite",
  clientSecret: "s3cret:+&%",
  redirectUri: "https://app.example/callback",
  baseUrl: RESTREAM_SANDBOX,
};
const client = new Client(options);

const post = async (url, body) => (await fetch(url, { method: "POST", body })).text();
const inject = (fault) => post(`${RESTREAM_SANDBOX}/_sandbox/faults`, JSON.stringify(fault));
const ledger = async () => (await fetch(`${RESTREAM_SANDBOX}/_sandbox/ledger`)).json();
const approve = async (login) => JSON.parse(await post(`${RESTREAM_SANDBOX}/_sandbox/approve`, login.url)).callback;
const grant = async () => {
  const login = client.login();
  return client.exchange(login.readCallback(await approve(login)));
};

beforeEach(() => post(`${RESTREAM_SANDBOX}/_sandbox/reset`));

test("the documented flow", async () => {
  const login = client.login({ scopes: ["profile.read", "chat.read"], parameters: { prompt: "consent" } });
  assert.match(login.url, /&scope=profile\.read%20chat\.read&prompt=consent$/);
  const code = login.readCallback(await approve(login));

  const before = Date.now();
  const first = await client.exchange(code);
  assert.equal(first.tokenType, "Bearer");
  assert.deepEqual(first.oddities, []);
  assert.ok(first.scopes.includes("profile.read"));
  assert.ok(before <= first.sentAt && first.sentAt <= Date.now());
  assert.equal(first.expiresAt - first.sentAt, 3_600_000);
  assert.deepEqual(structuredClone(first), JSON.parse(JSON.stringify(first)));

  assert.equal((await client.profile(first.accessToken)).id, "1000001");
  const second = await client.refresh(first.refreshToken);
  assert.notEqual(second.refreshToken, first.refreshToken);
  assert.equal(await client.revoke(second.accessToken, "access_token"), undefined);
  const { exchanges, refreshes, revocations } = await ledger();
  assert.deepEqual({ exchanges, refreshes, revocations }, { exchanges: 1, refreshes: 1, revocations: 1 });
});

test("a login is saved and restored while the browser is away", async () => {
  const saved = { [client.login().state]: null };
  const login = client.login();
  saved[login.state] = login.save();
  const callback = await approve(login);
  login.free();

  const restored = client.restoreLogin(saved[stateOf(callback)]);
  assert.ok((await client.exchange(restored.readCallback(callback))).accessToken);
});

test("a forged callback gives no code and does not end the login", async () => {
  const login = client.login();
  const kindOf = (uri) => {
    try {
      login.readCallback(uri);
    } catch (error) {
      assert.ok(error instanceof Error);
      assert.equal(error.name, "CallbackError");
      return error.kind;
    }
    return "a code";
  };
  assert.equal(kindOf("https://app.example/callback?code=forged&state=forged"), "state_mismatch");
  assert.equal(kindOf("https://evil.example/callback?code=forged"), "wrong_place");
  assert.equal(kindOf("https://app.example/callback"), "no_parameters");
  assert.equal(kindOf(await approve(login)), "a code");
  assert.equal(kindOf(`?code=again&state=${login.state}`), "already_used");
});

test("an error response becomes an Error that says what to do", async () => {
  await assert.rejects(client.refresh("dead"), (error) => {
    assert.ok(error instanceof Error);
    const { name, kind, code, delivery, advice, status, serverMessage } = error;
    assert.deepEqual({ name, kind, code, delivery, advice, status }, {
      name: "RoundTripError",
      kind: "refused",
      code: "invalid_grant",
      delivery: "refused",
      advice: "reauthorize",
      status: 400,
    });
    assert.equal(serverMessage, "Invalid grant: refresh token is invalid");
    return true;
  });
});

test("the error has the time to wait that the server named", async () => {
  await inject({ what: "status", status: 429, headers: { "Retry-After": "7" }, endpoint: "token" });
  await assert.rejects(client.refresh("any"), { advice: "retry", retryAfter: 7000, delivery: "refused" });
});

test("after a 421 nothing is sent twice, except a profile call in Node", async () => {
  const { accessToken, refreshToken } = await grant();
  const refused = { advice: "retry", delivery: "refused", status: 421 };
  await inject({ what: "status", status: 421, endpoint: "token" });
  await assert.rejects(client.refresh(refreshToken), refused);
  await inject({ what: "status", status: 421, endpoint: "revoke" });
  await assert.rejects(client.revoke(refreshToken), refused);
  await inject({ what: "status", status: 421, endpoint: "profile" });
  const profile = client.profile(accessToken);
  await (Deno || Bun ? assert.rejects(profile, refused) : profile);

  const { requests } = await ledger();
  const sent = (path) => requests.filter((it) => it.path === path).length;
  assert.deepEqual([sent("/oauth/token"), sent("/oauth/revoke")], [2, 1]);
  assert.equal(sent("/v2/user/profile"), Deno || Bun ? 1 : 2);
});

test("a lost answer leaves the refresh in doubt, and one token of a pair is salvaged", async () => {
  const lost = await grant();
  await inject({ what: "drop", point: "before_head", endpoint: "token" });
  await assert.rejects(client.refresh(lost.refreshToken), { delivery: "unknown", advice: "replay" });
  // One exchange and one refresh.
  assert.equal((await ledger()).requests.filter((it) => it.path === "/oauth/token").length, 2);

  const cut = await grant();
  await inject({ what: "truncate", after: 80, endpoint: "token" });
  await assert.rejects(client.refresh(cut.refreshToken), (error) => {
    // Bun drops the bytes that were not yet read when the answer broke off.
    assert.ok(error.delivery === "completed" || (Bun && error.delivery === "unknown"));
    assert.equal(Boolean(error.salvaged?.accessToken), error.delivery === "completed");
    return true;
  });
});

test("a time limit is in milliseconds, and a refused connection is an error", async () => {
  const hasty = new Client({ ...options, timeLimit: 200 });
  const { refreshToken } = await grant();
  await inject({ what: "hang", point: "before_head", endpoint: "token" });
  await assert.rejects(hasty.refresh(refreshToken), { kind: "timeout", delivery: "unknown", advice: "replay" });

  const nobody = new Client({ ...options, baseUrl: RESTREAM_GONE });
  // Errors have a code in Node and Bun, but not in Deno.
  const kind = Deno ? "other" : "connect";
  await assert.rejects(nobody.refresh("any"), { kind, delivery: "unknown", advice: "replay" });
});

test("a time limit is kept although the garbage collector runs meanwhile", async () => {
  const { setFlagsFromString } = await import("node:v8");
  const { runInNewContext } = await import("node:vm");
  setFlagsFromString("--expose-gc");
  const collecting = setInterval(Bun ? Bun.gc : runInNewContext("gc"), 50);
  const hasty = new Client({ ...options, timeLimit: 500 });
  const { refreshToken } = await grant();
  await inject({ what: "hang", point: "in_body", after: 10, endpoint: "token" });
  const begun = Date.now();
  await assert.rejects(hasty.refresh(refreshToken), { kind: "timeout", delivery: "unknown", advice: "replay" });
  clearInterval(collecting);
  assert.ok(Date.now() - begun < 2500);
});

test("a wrong type, a misspelt option or a wrong configuration is refused before anything is sent", async () => {
  const wrong = [
    [undefined, TypeError, /options must be an object/],
    [{ ...options, clientId: 5 }, TypeError, /clientId must be a string/],
    [{ ...options, cleintSecret: "s" }, TypeError, /no option named cleintSecret/],
    [{ ...options, timeLimit: -1 }, TypeError, /timeLimit must be a whole number/],
    [{ ...options, clientAuthentication: "jwt" }, TypeError, /"basic" or "body"/],
    [{ ...options, redirectUri: "http://app.example/" }, Error, /plain http is only for loopback/],
  ];
  for (const [value, type, message] of wrong) {
    assert.throws(() => new Client(value), (error) => error instanceof type && message.test(error.message), message);
  }
  assert.throws(() => client.login({ scopes: ["two words"] }), { name: "ConfigurationError" });
  assert.throws(() => client.login({ parameters: { state: "mine" } }), { name: "ConfigurationError" });
  assert.throws(() => client.restoreLogin("{}"), { name: "ConfigurationError" });
  // A whole result instead of its refresh token must not be sent as "[object Object]".
  await assert.rejects(client.refresh(await grant()), /refreshToken must be a string/);
  await assert.rejects(client.profile("two\r\nlines"), { name: "ConfigurationError" });
  assert.equal((await ledger()).requests.filter((it) => it.form_parameters.includes("refresh_token")).length, 0);
});

test("no secret is printed", async () => {
  const { inspect } = await import("node:util");
  const failure = await client.refresh("c4nary-t0ken").catch((error) => error);
  const printed = [client, client.login(), failure].map((value) => inspect(value, { depth: 9, showHidden: true })).join();
  for (const secret of ["c4nary-t0ken", options.clientSecret, client.login().state]) {
    assert.ok(!printed.includes(secret));
  }
});
