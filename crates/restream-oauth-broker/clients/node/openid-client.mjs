// openid-client: `discovery` with `algorithm: "oauth2"`, because the broker is no OpenID provider.
import * as client from "openid-client";
import { CLIENT_ID, ISSUER, end, listen, logIn, refreshAll, refuses } from "./play.mjs";

const config = await client.discovery(new URL(ISSUER), CLIENT_ID, undefined, client.None(), { algorithm: "oauth2" });
const { redirectUri, callback } = await listen();
const pkceCodeVerifier = client.randomPKCECodeVerifier();
const expectedState = client.randomState();
const url = client.buildAuthorizationUrl(config, {
  redirect_uri: redirectUri,
  code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
  code_challenge_method: "S256",
  state: expectedState,
});
const redeem = (back) => client.authorizationCodeGrant(config, back, { pkceCodeVerifier, expectedState });
const refresh = (handle) => client.refreshTokenGrant(config, handle);

const back = await logIn(url, callback);
await refuses(back, redeem);
const tokens = await refreshAll(await redeem(back), refresh);
await client.tokenRevocation(config, tokens.refresh_token);
await end(refresh, tokens);
