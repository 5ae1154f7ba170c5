// @modelcontextprotocol/sdk: `auth`, which its transports call on a 401, with a provider that stores in memory. The
// provider knows the server's metadata, as after a first login.
import { auth } from "@modelcontextprotocol/sdk/client/auth.js";
import { ACCESS_TOKEN, BASE_URL, CLIENT_ID, CLIENT_SECRET, PROFILE_URL, REDIRECT_URI } from "./report.mjs";
import { REFRESH_TOKEN, TOKEN_URL, ALoginIsWanted, drive, failed, print } from "./report.mjs";

let tokens = { access_token: ACCESS_TOKEN, refresh_token: REFRESH_TOKEN, token_type: "Bearer", issuer: BASE_URL };
const provider = {
  redirectUrl: REDIRECT_URI,
  clientMetadata: { redirect_uris: [REDIRECT_URI] },
  clientInformation: () => ({ client_id: CLIENT_ID, client_secret: CLIENT_SECRET, issuer: BASE_URL }),
  tokens: () => tokens,
  saveTokens: (saved) => {
    tokens = saved;
  },
  saveCodeVerifier: () => {},
  codeVerifier: () => "",
  redirectToAuthorization: () => {
    throw new ALoginIsWanted();
  },
  invalidateCredentials: (scope) => {
    if (scope === "all" || scope === "tokens") tokens = undefined;
  },
  discoveryState: () => ({
    authorizationServerUrl: BASE_URL,
    authorizationServerMetadata: {
      issuer: BASE_URL,
      authorization_endpoint: BASE_URL + "/login",
      token_endpoint: TOKEN_URL,
      response_types_supported: ["code"],
      code_challenge_methods_supported: ["S256"],
    },
  }),
};

async function call() {
  await auth(provider, { serverUrl: PROFILE_URL });
  await fetch(PROFILE_URL, { headers: { Authorization: `Bearer ${tokens?.access_token}` } });
}

await drive(call, (e) => failed(e, e.errorCode, "e.errorCode"));
print(tokens?.access_token, tokens?.refresh_token);
