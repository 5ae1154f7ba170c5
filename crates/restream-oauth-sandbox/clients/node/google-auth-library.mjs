// google-auth-library: OAuth2Client with other `endpoints`, `request`, and the event "tokens" for the program's store.
import { OAuth2Client } from "google-auth-library";
import { ACCESS_TOKEN, CLIENT_ID, CLIENT_SECRET, EXPIRES_IN, PROFILE_URL, REDIRECT_URI } from "./report.mjs";
import { REFRESH_TOKEN, TOKEN_URL, drive, failed, print } from "./report.mjs";

const client = new OAuth2Client({
  clientId: CLIENT_ID,
  clientSecret: CLIENT_SECRET,
  redirectUri: REDIRECT_URI,
  endpoints: { oauth2TokenUrl: TOKEN_URL },
});
client.setCredentials({
  access_token: ACCESS_TOKEN,
  refresh_token: REFRESH_TOKEN,
  expiry_date: Date.now() + EXPIRES_IN * 1000,
});

await drive(
  () => client.request({ url: PROFILE_URL }),
  (e) => failed(e, e.response?.data?.error, "e.response.data.error.name"),
);
print(client.credentials.access_token, client.credentials.refresh_token);
