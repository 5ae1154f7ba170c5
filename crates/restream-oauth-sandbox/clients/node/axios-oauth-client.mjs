// axios-oauth-client: `refreshToken`, a function of the refresh token.
import axios from "axios";
import * as oauth from "axios-oauth-client";
import { ACCESS_TOKEN, CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN, TOKEN_URL, drive, failed, print } from "./report.mjs";

let held = { access_token: ACCESS_TOKEN, refresh_token: REFRESH_TOKEN };
const getRefreshToken = oauth.refreshToken(axios.create(), TOKEN_URL, CLIENT_ID, CLIENT_SECRET);

async function call() {
  held = await getRefreshToken(held.refresh_token);
}

await drive(call, (e) => failed(e, null, "e.response.data.error.name"));
print(held.access_token, held.refresh_token);
