// oslo, which arctic has replaced: its OAuth2Client.
import { OAuth2Client } from "oslo/oauth2";
import { ACCESS_TOKEN, BASE_URL, CLIENT_ID, CLIENT_SECRET, REDIRECT_URI, REFRESH_TOKEN } from "./report.mjs";
import { TOKEN_URL, drive, failed, print } from "./report.mjs";

const client = new OAuth2Client(CLIENT_ID, BASE_URL + "/login", TOKEN_URL, { redirectURI: REDIRECT_URI });
let held = { access_token: ACCESS_TOKEN, refresh_token: REFRESH_TOKEN };

async function call() {
  held = await client.refreshAccessToken(held.refresh_token, { credentials: CLIENT_SECRET });
}

// OAuth2RequestError takes `error` as its message.
await drive(call, (e) => failed(e, e.message, "e.response?.error?.name"));
print(held.access_token, held.refresh_token);
