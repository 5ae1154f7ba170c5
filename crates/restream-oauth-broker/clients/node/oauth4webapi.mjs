// oauth4webapi: each request with the function that reads its answer.
import * as oauth from "oauth4webapi";
import { CLIENT_ID, ISSUER, end, listen, logIn, refreshAll, refuses } from "./play.mjs";

const issuer = new URL(ISSUER);
const server = await oauth
  .discoveryRequest(issuer, { algorithm: "oauth2" })
  .then((response) => oauth.processDiscoveryResponse(issuer, response));
const client = { client_id: CLIENT_ID };
const none = oauth.None();

const { redirectUri, callback } = await listen();
const verifier = oauth.generateRandomCodeVerifier();
const state = oauth.generateRandomState();
const url = new URL(server.authorization_endpoint);
for (const [name, value] of Object.entries({
  client_id: CLIENT_ID,
  redirect_uri: redirectUri,
  response_type: "code",
  code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
  code_challenge_method: "S256",
  state,
})) {
  url.searchParams.set(name, value);
}

async function redeem(back) {
  const parameters = oauth.validateAuthResponse(server, client, back, state);
  const response = await oauth.authorizationCodeGrantRequest(server, client, none, parameters, redirectUri, verifier);
  return await oauth.processAuthorizationCodeResponse(server, client, response);
}

async function refresh(handle) {
  const response = await oauth.refreshTokenGrantRequest(server, client, none, handle);
  return await oauth.processRefreshTokenResponse(server, client, response);
}

const back = await logIn(url, callback);
await refuses(back, redeem);
const tokens = await refreshAll(await redeem(back), refresh);
await oauth.processRevocationResponse(await oauth.revocationRequest(server, client, none, tokens.refresh_token));
await end(refresh, tokens);
