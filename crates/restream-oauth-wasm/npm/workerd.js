// For edge runtimes. They compile the code when it is deployed, so the import is a compiled module.
import module from "./restream_oauth_bg.wasm";
import { AuthorizationCode, Client, Login, initSync, stateOf } from "./restream_oauth.js";

initSync({ module });

export { AuthorizationCode, Client, Login, stateOf };
