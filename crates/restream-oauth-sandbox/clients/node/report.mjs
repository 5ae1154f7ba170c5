// The line that a probe prints.
import { setTimeout as sleep } from "node:timers/promises";

export const { BASE_URL, CLIENT_ID, CLIENT_SECRET, REDIRECT_URI, ACCESS_TOKEN, REFRESH_TOKEN } = process.env;
export const EXPIRES_IN = Number(process.env.EXPIRES_IN);
export const TOKEN_URL = BASE_URL + "/oauth/token";
export const PROFILE_URL = BASE_URL + "/v2/user/profile";
export const SCENARIO = process.argv[2];

const AsyncFunction = (async () => {}).constructor;
const line = { access_token: null, refresh_token: null, error: null, kind: null, reach: null, login: false };

// Notes an error. `code` is what the library documents as the OAuth error code. `reach` is an expression of the error
// `e` that may hold the name in the nested error.
export async function failed(e, code, reach) {
  line.error = code === undefined || code === null ? null : typeof code === "string" ? code : JSON.stringify(code);
  line.kind = e?.constructor?.name ?? typeof e;
  try {
    line.reach = reach && (await new AsyncFunction("e", `return ${reach}`)(e)) === "invalid_grant" ? reach : null;
  } catch {
    line.reach = null;
  }
}

// The library asked for a new login. The probe starts none.
export class ALoginIsWanted extends Error {
  constructor() {
    super("a login is wanted");
    line.login = true;
  }
}

// Calls as the scenario asks: once, five times at once, or twice. `describe` notes an error.
export async function drive(call, describe) {
  const guarded = () => call().catch(describe);
  if (SCENARIO === "parallel") {
    await Promise.all(Array.from({ length: 5 }, guarded));
    return;
  }
  await guarded();
  if (["rotate", "omitted", "unavailable"].includes(SCENARIO)) {
    await sleep(2000);
    await guarded();
  }
}

export function print(accessToken, refreshToken) {
  line.access_token = accessToken ?? null;
  line.refresh_token = refreshToken ?? null;
  // The exit also ends timers of the library.
  process.stdout.write(JSON.stringify(line) + "\n", () => process.exit(0));
}
