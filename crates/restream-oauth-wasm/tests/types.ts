// Uses the package's types as a program in TypeScript does. This file is compiled and never run.
import { Client, Login, stateOf } from "restream-oauth";
import type { CallbackError, ClientOptions, RoundTripError, Tokens } from "restream-oauth";

const options: ClientOptions = { clientId: "id", redirectUri: "https://app.example/callback" };
const client = new Client(options);

const login: Login = client.login({ scopes: ["profile.read"] });
const restored: Login = client.restoreLogin(login.save());
const state: string = stateOf(login.url) + restored.state;

export async function flow(callback: string): Promise<string | undefined> {
  try {
    const first: Tokens = await client.exchange(login.readCallback(callback));
    const second: Tokens = await client.refresh(first.refreshToken ?? state);
    await client.revoke(second.accessToken, "access_token");
    return (await client.profile(second.accessToken)).username;
  } catch (caught) {
    const error = caught as RoundTripError | CallbackError;
    if (error.name === "CallbackError") return error.kind satisfies string;
    if (error.advice === "retry") return String(error.retryAfter);
    if (error.salvaged && "refreshToken" in error.salvaged) return error.salvaged.refreshToken;
    return error.delivery;
  }
}

// @ts-expect-error a misspelt option
new Client({ ...options, cleintSecret: "s" });
// @ts-expect-error a whole pair instead of its refresh token
client.refresh({} as Tokens);
// @ts-expect-error a code that is not from a callback
client.exchange("code");
