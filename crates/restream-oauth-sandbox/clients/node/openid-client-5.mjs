// openid-client 5: `client.refresh`, a function of the refresh token.
import { Issuer } from "openid-client";
import { ACCESS_TOKEN, BASE_URL, CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN, TOKEN_URL } from "./report.mjs";
import { drive, failed, print } from "./report.mjs";

const issuer = new Issuer({ issuer: BASE_URL, token_endpoint: TOKEN_URL });
const client = new issuer.Client({ client_id: CLIENT_ID, client_secret: CLIENT_SECRET });
let held = { access_token: ACCESS_TOKEN, refresh_token: REFRESH_TOKEN };

async function call() {
  held = await client.refresh(held.refresh_token);
}

await drive(call, (e) => failed(e, e.error, "e.response.body.error.name"));
print(held.access_token, held.refresh_token);
