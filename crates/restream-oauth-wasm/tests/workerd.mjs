// Tests the npm package in workerd. See workerd.capnp.
import assert from "node:assert/strict";

import { Client } from "restream-oauth";

export default {
  async test(_controller, { RESTREAM_SANDBOX }) {
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
    await post(`${RESTREAM_SANDBOX}/_sandbox/reset`);

    const login = client.login();
    const { callback } = JSON.parse(await post(`${RESTREAM_SANDBOX}/_sandbox/approve`, login.url));
    const first = await client.exchange(login.readCallback(callback));
    assert.equal((await client.profile(first.accessToken)).id, "1000001");
    const second = await client.refresh(first.refreshToken);

    // A redirect is not followed, and the error has its real status.
    await inject({ what: "redirect", endpoint: "token" });
    await assert.rejects(client.refresh(second.refreshToken), { kind: "redirected", status: 302 });

    await inject({ what: "status", status: 421, endpoint: "token" });
    await assert.rejects(client.refresh(second.refreshToken), { advice: "retry", delivery: "refused", status: 421 });

    const hasty = new Client({ ...options, timeLimit: 200 });
    await inject({ what: "hang", point: "before_head", strikes: "before_acting", endpoint: "token" });
    await assert.rejects(hasty.refresh(second.refreshToken), { kind: "timeout", delivery: "unknown", advice: "replay" });

    await inject({ what: "drop", point: "before_head", endpoint: "token" });
    await assert.rejects(client.refresh(second.refreshToken), { delivery: "unknown", advice: "replay" });
    await client.revoke(first.refreshToken, "refresh_token");

    // Nothing was sent twice: there were two rotations, and the answer to the second one was lost.
    const { refreshes, canary_hits, requests } = await ledger();
    const sent = requests.filter((it) => it.form_parameters.includes("refresh_token")).length;
    assert.deepEqual({ refreshes, canary_hits, sent }, { refreshes: 2, canary_hits: 0, sent: 5 });
  },
};
