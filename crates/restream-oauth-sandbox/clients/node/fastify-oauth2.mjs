// @fastify/oauth2: `getNewAccessTokenUsingRefreshToken`.
import fastifyOauth2 from "@fastify/oauth2";
import Fastify from "fastify";
import { ACCESS_TOKEN, BASE_URL, CLIENT_ID, CLIENT_SECRET, EXPIRES_IN, REDIRECT_URI } from "./report.mjs";
import { REFRESH_TOKEN, drive, failed, print } from "./report.mjs";

const fastify = Fastify();
await fastify.register(fastifyOauth2, {
  name: "restream",
  credentials: {
    client: { id: CLIENT_ID, secret: CLIENT_SECRET },
    auth: { tokenHost: BASE_URL, tokenPath: "/oauth/token", authorizeHost: BASE_URL, authorizePath: "/login" },
  },
  callbackUri: REDIRECT_URI,
});
await fastify.ready();
let held = { access_token: ACCESS_TOKEN, refresh_token: REFRESH_TOKEN, expires_in: EXPIRES_IN, token_type: "Bearer" };

async function call() {
  held = (await fastify.restream.getNewAccessTokenUsingRefreshToken(held, {})).token;
}

await drive(call, (e) => failed(e, e.data?.payload?.error, "e.data.payload.error.name"));
print(held.access_token, held.refresh_token);
