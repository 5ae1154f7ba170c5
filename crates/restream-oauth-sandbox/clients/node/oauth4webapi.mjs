// oauth4webapi: `refreshTokenGrantRequest` and `processRefreshTokenResponse`. It has no default authentication: its
// examples use ClientSecretPost. `allowInsecureRequests` allows http.
import * as oauth from "oauth4webapi";
import { ACCESS_TOKEN, BASE_URL, CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN, TOKEN_URL } from "./report.mjs";
import { drive, failed, print } from "./report.mjs";

const as = { issuer: BASE_URL, token_endpoint: TOKEN_URL };
const client = { client_id: CLIENT_ID };
const authentication = oauth.ClientSecretPost(CLIENT_SECRET);
let held = { access_token: ACCESS_TOKEN, refresh_token: REFRESH_TOKEN };

async function call() {
  const options = { [oauth.allowInsecureRequests]: true };
  const response = await oauth.refreshTokenGrantRequest(as, client, authentication, held.refresh_token, options);
  held = await oauth.processRefreshTokenResponse(as, client, response);
}

await drive(call, (e) => failed(e, e.error, "(await e.cause.json()).error.name"));
print(held.access_token, held.refresh_token);
