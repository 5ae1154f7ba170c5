// openid-client: `refreshTokenGrant`, a function of the refresh token. `allowInsecureRequests` allows http.
import * as client from "openid-client";
import { ACCESS_TOKEN, BASE_URL, CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN, TOKEN_URL } from "./report.mjs";
import { drive, failed, print } from "./report.mjs";

const config = new client.Configuration({ issuer: BASE_URL, token_endpoint: TOKEN_URL }, CLIENT_ID, CLIENT_SECRET);
client.allowInsecureRequests(config);
let held = { access_token: ACCESS_TOKEN, refresh_token: REFRESH_TOKEN };

async function call() {
  held = await client.refreshTokenGrant(config, held.refresh_token);
}

await drive(call, (e) => failed(e, e.error, "(await e.cause.json()).error.name"));
print(held.access_token, held.refresh_token);
