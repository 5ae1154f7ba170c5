// client-oauth2: `token.refresh()`, as its README shows under "Using an Access Token".
import ClientOAuth2 from "client-oauth2";
import { ACCESS_TOKEN, CLIENT_ID, CLIENT_SECRET, EXPIRES_IN, REFRESH_TOKEN, TOKEN_URL } from "./report.mjs";
import { drive, failed, print } from "./report.mjs";

const client = new ClientOAuth2({ clientId: CLIENT_ID, clientSecret: CLIENT_SECRET, accessTokenUri: TOKEN_URL });
let token = client.createToken(ACCESS_TOKEN, REFRESH_TOKEN, "bearer", { expires_in: EXPIRES_IN });

async function call() {
  token = await token.refresh();
}

await drive(call, (e) => failed(e, e.code === "EAUTH" ? e.body?.error : null, "e.body.error.name"));
print(token.accessToken, token.refreshToken);
