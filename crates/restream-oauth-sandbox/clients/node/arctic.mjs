// arctic: its generic OAuth2Client.
import { OAuth2Client } from "arctic";
import { ACCESS_TOKEN, CLIENT_ID, CLIENT_SECRET, REDIRECT_URI, REFRESH_TOKEN, TOKEN_URL } from "./report.mjs";
import { drive, failed, print } from "./report.mjs";

const client = new OAuth2Client(CLIENT_ID, CLIENT_SECRET, REDIRECT_URI);
let held = { accessToken: ACCESS_TOKEN, refreshToken: REFRESH_TOKEN };

async function call() {
  const tokens = await client.refreshAccessToken(TOKEN_URL, held.refreshToken, []);
  held = { accessToken: tokens.accessToken(), refreshToken: tokens.refreshToken() };
}

// OAuth2RequestError has `code`, UnexpectedErrorResponseBodyError has `data`.
await drive(call, (e) => failed(e, e.code, "e.data.error.name"));
print(held.accessToken, held.refreshToken);
