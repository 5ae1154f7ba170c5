// passport-oauth2-refresh: `requestNewAccessToken` over the strategy of passport-oauth2.
import { Strategy } from "passport-oauth2";
import refresh from "passport-oauth2-refresh";
import { ACCESS_TOKEN, BASE_URL, CLIENT_ID, CLIENT_SECRET, REDIRECT_URI, REFRESH_TOKEN } from "./report.mjs";
import { TOKEN_URL, drive, failed, print } from "./report.mjs";

const strategy = new Strategy(
  {
    authorizationURL: BASE_URL + "/login",
    tokenURL: TOKEN_URL,
    clientID: CLIENT_ID,
    clientSecret: CLIENT_SECRET,
    callbackURL: REDIRECT_URI,
  },
  () => {},
);
refresh.use("restream", strategy);
let held = { accessToken: ACCESS_TOKEN, refreshToken: REFRESH_TOKEN };

function call() {
  return new Promise((resolve, reject) => {
    refresh.requestNewAccessToken("restream", held.refreshToken, (error, accessToken, refreshToken) => {
      if (error) return reject(error);
      held = { accessToken, refreshToken };
      resolve();
    });
  });
}

await drive(call, (e) => failed(e, null, "JSON.parse(e.data).error.name"));
print(held.accessToken, held.refreshToken);
