#!/usr/bin/env bash
# Software: @azure/msal-node 7.2.3 with @azure/msal-common 16.17.0 (npm), with Node 20.
#
# What was run: one `ConfidentialClientApplication`, as a web service with many users has it, with a network client of our own in the
# place of the token endpoint. `acquireTokenByRefreshToken` for three users. The endpoint answers one request of user A with 503
# and without Retry-After, and everything else well.
#
# A good engineer would guess: A's call fails, B and C are refreshed, and the next call of A is sent again.
#
# What happens: after A's 503 the calls of B and C fail for a minute without any request. Their error is of the class `ServerError`
# with an empty code, and its message is the description that the server gave of A's failure. The key under which the library
# remembers a 429, a 5xx or a Retry-After is made of client, authority and scopes; a user is not in it. By its source,
# `acquireTokenSilent` refreshes by the same way.
#
# What follows: one 503 for one user stops all refreshes of a process for a minute, and longer if Retry-After says so. In B's
# log stands what the server said about A. A keeper that counts failures by user marks everybody, and each retry of its own within
# the minute is counted as one more failure of the server, though none was sent.
#
# How to avoid: give each user an application object and a cache of its own, or retry after a minute at the earliest when a
# `ServerError` has an empty `errorCode`; do not count it against the user.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
echo '{}' > package.json
npm_config_cache=$dir/npm npm install --silent --ignore-scripts @azure/msal-node@7.2.3 @azure/msal-common@16.17.0
cat > service.cjs <<'X'
const { ConfidentialClientApplication } = require("@azure/msal-node");
let requests = 0;
let unavailable;
const networkClient = {
  async sendPostRequestAsync(_, { body }) {
    requests += 1;
    const user = new URLSearchParams(body).get("refresh_token")[0];
    return user === unavailable
      ? { status: 503, headers: {}, body: { error: "temporarily_unavailable", error_description: `the shard of ${user} restarts` } }
      : { status: 200, headers: {}, body: { token_type: "Bearer", access_token: `access of ${user}`, refresh_token: `${user}2`, expires_in: 3600, scope: "files" } };
  },
};
const host = "login.microsoftonline.com";
const authority = `https://${host}/common`;
const application = new ConfidentialClientApplication({
  auth: {
    clientId: "client", clientSecret: "secret", authority,
    authorityMetadata: JSON.stringify({ issuer: authority, authorization_endpoint: `${authority}/authorize`, token_endpoint: `${authority}/token`, jwks_uri: `${authority}/keys` }),
    cloudDiscoveryMetadata: JSON.stringify({ tenant_discovery_endpoint: `${authority}/discovery`, metadata: [{ preferred_network: host, preferred_cache: host, aliases: [host] }] }),
  },
  system: { networkClient },
});
async function refresh(user) {
  const before = requests;
  const outcome = await application.acquireTokenByRefreshToken({ refreshToken: `${user}1`, scopes: ["files"] }).then(
    ({ accessToken }) => accessToken,
    ({ name, errorCode, errorMessage }) => `${name} "${errorCode}" that names: ${errorMessage.match(/the shard of \w+/)}`,
  );
  console.log(`${user}: ${requests - before} requests, ${outcome}`);
}
(async () => {
  await refresh("A");
  await refresh("B");
  unavailable = "A";
  await refresh("A");
  unavailable = undefined;
  for (const user of ["A", "B", "C"]) await refresh(user);
})();
X
node service.cjs | tee output
diff output - <<'X'
A: 1 requests, access of A
B: 1 requests, access of B
A: 1 requests, ServerError "temporarily_unavailable" that names: the shard of A
A: 0 requests, ServerError "" that names: the shard of A
B: 0 requests, ServerError "" that names: the shard of A
C: 0 requests, ServerError "" that names: the shard of A
X
