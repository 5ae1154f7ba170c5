// For browsers and Deno. They fetch the module from the folder of this file. Bundlers recognize this form of URL.
import init, { AuthorizationCode, Client, Login, stateOf } from "./restream_oauth.js";

await init({ module_or_path: new URL("./restream_oauth_bg.wasm", import.meta.url) });

export { AuthorizationCode, Client, Login, stateOf };
