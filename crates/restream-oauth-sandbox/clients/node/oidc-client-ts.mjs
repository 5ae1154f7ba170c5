// oidc-client-ts: UserManager.signinSilent with a refresh token, with its stores in memory. It is a library for
// browsers; here it runs in Node.
import { InMemoryWebStorage, User, UserManager, WebStorageStateStore } from "oidc-client-ts";
import { ACCESS_TOKEN, BASE_URL, CLIENT_ID, CLIENT_SECRET, EXPIRES_IN, REDIRECT_URI } from "./report.mjs";
import { REFRESH_TOKEN, TOKEN_URL, drive, failed, print } from "./report.mjs";

const store = () => new WebStorageStateStore({ store: new InMemoryWebStorage() });
const manager = new UserManager({
  authority: BASE_URL,
  client_id: CLIENT_ID,
  client_secret: CLIENT_SECRET,
  redirect_uri: REDIRECT_URI,
  scope: "profile.read",
  metadata: { issuer: BASE_URL, authorization_endpoint: BASE_URL + "/login", token_endpoint: TOKEN_URL },
  userStore: store(),
  stateStore: store(),
  automaticSilentRenew: false,
});
await manager.storeUser(
  new User({
    access_token: ACCESS_TOKEN,
    refresh_token: REFRESH_TOKEN,
    token_type: "Bearer",
    scope: "profile.read",
    profile: {},
    expires_at: Math.floor(Date.now() / 1000) + EXPIRES_IN,
  }),
);

await drive(
  () => manager.signinSilent(),
  (e) => failed(e, e.error, "e.error.name"),
);
const user = await manager.getUser();
print(user?.access_token, user?.refresh_token);
