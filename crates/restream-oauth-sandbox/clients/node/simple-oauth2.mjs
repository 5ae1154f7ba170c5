// simple-oauth2: AuthorizationCode and AccessToken, as its README shows under "Refresh an access token".
import { AuthorizationCode } from "simple-oauth2";
import { ACCESS_TOKEN, BASE_URL, CLIENT_ID, CLIENT_SECRET, EXPIRES_IN, REFRESH_TOKEN } from "./report.mjs";
import { drive, failed, print } from "./report.mjs";

const client = new AuthorizationCode({
  client: { id: CLIENT_ID, secret: CLIENT_SECRET },
  auth: { tokenHost: BASE_URL, tokenPath: "/oauth/token" },
});
let accessToken = client.createToken({
  access_token: ACCESS_TOKEN,
  refresh_token: REFRESH_TOKEN,
  token_type: "Bearer",
  expires_in: EXPIRES_IN,
});

async function call() {
  if (accessToken.expired()) {
    accessToken = await accessToken.refresh();
  }
}

await drive(call, (e) => failed(e, e.data?.payload?.error, "e.data.payload.error.name"));
print(accessToken.token.access_token, accessToken.token.refresh_token);
