// For Node and Bun. Node's fetch does not read files.
import { readFileSync } from "node:fs";
import { AuthorizationCode, Client, Login, initSync, stateOf } from "./restream_oauth.js";

initSync({ module: readFileSync(new URL("./restream_oauth_bg.wasm", import.meta.url)) });

export { AuthorizationCode, Client, Login, stateOf };
