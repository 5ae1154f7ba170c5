#!/usr/bin/env bash
# Software: msal-extensions 1.3.1 with msal 1.39.0 (PyPI), class PersistedTokenCache, as `pip install msal-extensions` installs it;
# contrast: with its extra, portalocker 3.2.0.
#
# What was run: a program refreshes with a token cache in a file, and is killed while the cache is written. Then two more programs
# refresh, one after the other. The server behind them rotates strictly.
#
# A good engineer would guess: a lock between processes ends with its process, or the next one waits and takes it over. If it cannot be
# had, the call fails before anything is sent.
#
# What happens: the lock is the existence of a file, which outlives the killed process. Each later refresh is sent and answered; then the
# cache waits five seconds for the file, and raises LockError. The new pair is in no variable of the caller. The next program sends the
# spent refresh token and gets invalid_grant. With the extra, whose name says nothing of crashes, the system's lock is used as well:
# the call takes five seconds and works.
#
# What follows: one `kill -9` or power cut at the wrong moment, and every later refresh ends a grant, for every user of that cache,
# until a person deletes `.lockfile`. The exception tells of a lock, and not of the tokens that it has cost.
#
# How to avoid: install `msal-extensions[portalocker]`. In code of one's own: take the lock before the refresh token is sent, and not
# when the answer is there.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
for kind in plain extra; do python3 -m venv $kind; $kind/bin/pip install -q --disable-pip-version-check msal-extensions==1.3.1 msal==1.39.0; done
extra/bin/pip install -q --disable-pip-version-check portalocker==3.2.0
cat > refresh.py <<'PY'
import json, os, pathlib, signal, sys
import msal, msal_extensions

class Answer:
    def __init__(self, status_code, body):
        self.status_code, self.text, self.headers = status_code, json.dumps(body), {}
    def raise_for_status(self): pass

class Server:
    """In the place of HTTP. Which refresh token is good is in a file, for all programs."""
    def get(self, url, **_):
        base = "https://login.example/users"
        return Answer(200, {"issuer": base, "authorization_endpoint": base + "/authorize", "token_endpoint": base + "/token"})
    def post(self, url, data=None, **_):
        file = pathlib.Path("live")
        live = file.read_text()
        if data["refresh_token"] != live:
            print(f"{data['refresh_token']}: invalid_grant", end="; ")
            return Answer(400, {"error": "invalid_grant", "error_description": "spent"})
        new = f"refresh-{int(live[8:]) + 1}"
        file.write_text(new)
        print(f"{live}: {new}", end="; ")
        return Answer(200, {"access_token": "access", "token_type": "Bearer", "expires_in": 3600, "refresh_token": new, "scope": "files"})
    def close(self): pass

class Killed(msal_extensions.FilePersistence):
    def save(self, content): os.kill(os.getpid(), signal.SIGKILL)

store = (Killed if "killed" in sys.argv else msal_extensions.FilePersistence)("cache")
cache = msal_extensions.PersistedTokenCache(store)
program = msal.PublicClientApplication("client", oidc_authority="https://login.example/users", token_cache=cache, http_client=Server())
try:
    told = program.acquire_token_by_refresh_token(sys.argv[1], scopes=["files"])
    print(told.get("error") or "a token")
except Exception as error:
    print(type(error).__name__)
PY
cat > try.py <<'PY'
import pathlib, subprocess, sys
results = {}
for kind in ("plain", "extra"):
    for name in ("cache", "cache.lockfile"): pathlib.Path(name).unlink(missing_ok=True)
    def refresh(*arguments):
        done = subprocess.run([f"{kind}/bin/python", "refresh.py", *arguments], capture_output=True, text=True)
        return "killed" if done.returncode == -9 else done.stdout.strip()
    pathlib.Path("live").write_text("refresh-1")
    killed = refresh("refresh-1", "killed")
    pathlib.Path("live").write_text("refresh-1")     # Another user's refresh token, which nobody has used.
    results[kind] = [killed, refresh("refresh-1"), refresh("refresh-1" if kind == "plain" else "refresh-2")]
    print(f"{kind}: " + " | ".join(results[kind]))
seen = results == {"plain": ["killed", "refresh-1: refresh-2; LockError", "refresh-1: invalid_grant; invalid_grant"],
                   "extra": ["killed", "refresh-1: refresh-2; a token", "refresh-2: refresh-3; a token"]}
print("msal-extensions 1.3.1; expected: a token for both later programs, or a failure before the refresh")
print("SEEN: after a crash each refresh is sent, and its answer thrown away" if seen else "NO LONGER SEEN")
sys.exit(0 if seen else 1)
PY
python3 try.py
