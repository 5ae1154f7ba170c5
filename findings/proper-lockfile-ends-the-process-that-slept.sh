#!/usr/bin/env bash
# Software: proper-lockfile 4.1.2 (npm), with Node 18 or later.
#
# What was run: programs of one user share a file with a token, and put a lock around read, refresh and write, with
# the library's defaults and a `try` around everything. One holds the lock and has sent its refresh when the machine goes to
# sleep for twelve seconds (here: the process is stopped). A second program wants the lock meanwhile. Beside it, the same
# without a second program.
#
# A good engineer would guess: a lock that is not renewed for ten seconds counts as left behind (`stale`), so the second program
# may take it. The first one learns that at its next call, at the latest from `release`, and its `catch` sees the error.
#
# What happens: when the process goes on, a timer of the library finds the lock gone, and throws. Nobody's `try` is around a
# timer, so the process ends at once: the answer with the new pair is on its way, and nobody reads it. The second
# program has sent the same refresh token, and was refused. Without a second program the sleeper goes on and stores its pair.
#
# What follows: of two programs, one gets `invalid_grant` and the other one, which got the pair, is ended by a trace
# ("ENOENT: no such file or directory, stat ...") that names neither the token nor the line that waited. A laptop that is closed during
# a refresh is enough, or ten seconds without a turn of the event loop.
#
# How to avoid: give `onCompromised` a function that throws nothing, and go on to store the answer: it is the only copy. Write
# down before the request which token is being sent, so that the next holder knows. Locks of the operating system (flock)
# end with the process and know no time.
set -euo pipefail
dir=$(mktemp -d); service=; trap '[ -z "$service" ] || kill "$service" 2>/dev/null || true; rm -rf "$dir"' EXIT; cd "$dir"
npm_config_cache=$dir/npm npm install --silent --no-save proper-lockfile@4.1.2
cat > service.js <<'X'
const http = require("http"), fs = require("fs"), spent = new Set();
http.createServer((request, response) => {
  let body = "";
  request.on("data", (piece) => (body += piece)).on("end", () => {
    const user = request.url, token = new URLSearchParams(body).get("refresh_token"), again = spent.has(user + token);
    spent.add(user + token);
    const send = () => response.writeHead(again ? 400 : 200).end(again ? "invalid_grant" : "R2");
    setTimeout(send, again ? 0 : 15000);
  });
}).listen(0, "127.0.0.1", function () { fs.writeFileSync("port", String(this.address().port)); });
X
cat > program.js <<'X'
const fs = require("fs"), lockfile = require("proper-lockfile"), [, , name, user] = process.argv;
const say = (what) => fs.appendFileSync("said", `${name}: ${what}\n`);
process.on("exit", (code) => say(`exit ${code}`));
(async () => {
  try {
    const release = await lockfile.lock(user, { retries: { retries: 60, minTimeout: 250, maxTimeout: 250 } });
    const refresh_token = fs.readFileSync(user, "utf8");
    say(`has the lock, sends ${refresh_token}`);
    const response = await fetch(`http://127.0.0.1:${fs.readFileSync("port")}/${user}`, { method: "POST", body: new URLSearchParams({ refresh_token }) });
    const text = await response.text();
    if (!response.ok) throw new Error(text);
    fs.writeFileSync(user, text);
    say(`stored ${text}`);
    await release();
  } catch (error) {
    say(`caught ${error.message}`);
  }
})();
X
node service.js & service=$!
for _ in $(seq 50); do [ -s port ] && break; sleep 0.1; done
# A sleeper with a second program, and one without, at the same time.
printf R1 > shared; printf R1 > alone
node program.js sleeper shared 2> trace & first=$!
node program.js "sleeper alone" alone 2>/dev/null & second=$!
sleep 1.5; kill -STOP $first $second
node program.js other shared & third=$!
sleep 12; kill -CONT $first $second
wait $first || true; wait $second || true; wait $third || true
cat said; grep -o "Error: .*" trace
for line in "sleeper: has the lock, sends R1" "other: has the lock, sends R1" "other: caught invalid_grant" "sleeper: exit 1" "sleeper alone: stored R2"; do
  grep -qx "$line" said
done
if grep -E "^sleeper: (caught|stored)" said; then exit 1; fi
[ "$(cat shared alone)" = R1R2 ]
