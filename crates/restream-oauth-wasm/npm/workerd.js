// Edge runtimes: code is compiled when it is deployed, and a module is what the import gives.
import module from "./restream_oauth_bg.wasm";
import { AuthorizationCode, Client, Login, initSync, stateOf } from "./restream_oauth.js";

initSync({ module });

export { AuthorizationCode, Client, Login, stateOf };
