// @badgateway/oauth2-client: OAuth2Fetch, which refreshes by itself. `getNewToken` is where a program starts a login.
import { OAuth2Client, OAuth2Fetch } from "@badgateway/oauth2-client";
import { ACCESS_TOKEN, CLIENT_ID, CLIENT_SECRET, EXPIRES_IN, PROFILE_URL, REFRESH_TOKEN } from "./report.mjs";
import { TOKEN_URL, ALoginIsWanted, drive, failed, print } from "./report.mjs";

const client = new OAuth2Client({ clientId: CLIENT_ID, clientSecret: CLIENT_SECRET, tokenEndpoint: TOKEN_URL });
let stored = { accessToken: ACCESS_TOKEN, refreshToken: REFRESH_TOKEN, expiresAt: Date.now() + EXPIRES_IN * 1000 };
const wrapper = new OAuth2Fetch({
  client,
  getNewToken: async () => {
    throw new ALoginIsWanted();
  },
  getStoredToken: () => stored,
  storeToken: (token) => {
    stored = token;
  },
  scheduleRefresh: false,
});

await drive(
  () => wrapper.fetch(PROFILE_URL),
  (e) => failed(e, e.oauth2Code, "e.parsedBody.error.name"),
);
print(stored.accessToken, stored.refreshToken);
