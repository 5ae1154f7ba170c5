# Tests the npm package in workerd, the runtime of Cloudflare's Workers. Run `workerd test workerd.capnp` in a folder in
# which the package is installed, with the address of the example `sandbox` in the environment. `.ci/wasm` does that.
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "suite", worker = .suite),
    (name = "internet", network = (allow = ["local"])),
  ],
);

const suite :Workerd.Worker = (
  modules = [
    (name = "suite", esModule = embed "workerd.mjs"),
    # The file that a bundler chooses by the condition `workerd` in the package's exports.
    (name = "restream-oauth", esModule = embed "node_modules/restream-oauth/workerd.js"),
    (name = "restream_oauth.js", esModule = embed "node_modules/restream-oauth/restream_oauth.js"),
    (name = "restream_oauth_bg.wasm", wasm = embed "node_modules/restream-oauth/restream_oauth_bg.wasm"),
  ],
  bindings = [(name = "RESTREAM_SANDBOX", fromEnvironment = "RESTREAM_SANDBOX")],
  compatibilityDate = "2026-01-01",
  compatibilityFlags = ["nodejs_compat"],
);
