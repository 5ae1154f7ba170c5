#!/usr/bin/env bash
# Software: kubernetes 37.0.2 (PyPI), the official Python client, with the `oidc` auth provider of a kubeconfig.
#
# What was run: a long-lived program loads a kubeconfig whose id token is good for an hour, and makes a call. The
# clock that the library reads is moved by two hours; the server goes by the same clock. The program makes two
# more calls. Then the kubeconfig is loaded again, and a last call is made. The refresh token is good throughout.
#
# A good engineer would guess: the library has a hook that looks at the expiry before each request and refreshes,
# and it refreshes with this provider at load. So the second call refreshes, and works.
#
# What happens: the hook looks at an expiry that the `oidc` provider never notes. The program sends the old id
# token for ever, is answered 401 each time, and no refresh is tried, neither before the call nor after the 401.
# Loading again refreshes at once and writes the new pair into the file. So a restart always mends it.
#
# What follows: scripts and tests, which load and end, always work. An operator that runs for a day fails after
# the first life of the token, and looks healthy after each restart by its supervisor.
#
# How to avoid: load the configuration again on a 401, or by a timer shorter than the token's life, under a lock,
# since two loads at once both refresh. Or use an `exec` plugin that gives an `expirationTimestamp`: there the hook has an
# expiry. A test of a token client needs a clock that it can move past the first token.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check kubernetes==37.0.2 oauthlib==4.0.1 requests-oauthlib==2.0.0
cat > try.py <<'PY'
import base64, datetime, http.server, json, os, sys, threading, types, urllib.parse
from importlib.metadata import version
os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"           # plain HTTP, on the loopback alone
import yaml
from kubernetes import client, config
from kubernetes.config import kube_config

offset = datetime.timedelta(0)
class Clock(datetime.datetime):
    @classmethod
    def now(cls, tz=None): return super().now(tz) + offset
kube_config.datetime = types.SimpleNamespace(**{k: getattr(datetime, k) for k in ("timedelta", "timezone", "date")}, datetime=Clock)
def now(): return Clock.now(datetime.timezone.utc).timestamp()

def part(x): return base64.urlsafe_b64encode(json.dumps(x).encode()).decode().rstrip("=")
def id_token(n): return f'{part({"alg": "none"})}.{part({"iss": base, "n": n, "exp": int(now()) + 3600})}.c2ln'
def read(token): return json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))

live, count, trace = "rt1", 1, []
class Server(http.server.BaseHTTPRequestHandler):
    def log_message(self, *a): pass
    def answer(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers(); self.wfile.write(data)
    def do_GET(self):
        if self.path.endswith("/.well-known/openid-configuration"):
            return self.answer(200, {"issuer": base, "token_endpoint": base + "/token"})
        token = read(self.headers["Authorization"].split()[1])
        status = 200 if token["exp"] > now() else 401
        trace.append(f"call with id token {token['n']} -> {status}"); print("  server:", trace[-1])
        self.answer(status, {"kind": "NamespaceList", "apiVersion": "v1", "metadata": {}, "items": []} if status == 200 else {})
    def do_POST(self):
        global live, count
        spent = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())["refresh_token"][0]
        if spent != live:
            trace.append(f"refresh with {spent} -> invalid_grant"); print("  server:", trace[-1])
            return self.answer(400, {"error": "invalid_grant"})
        count += 1; live = f"rt{count}"
        trace.append(f"refresh with {spent} -> {live}"); print("  server:", trace[-1])
        self.answer(200, {"access_token": "a", "token_type": "Bearer", "expires_in": 3600, "refresh_token": live, "id_token": id_token(count)})
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
base = f"http://127.0.0.1:{server.server_port}"
with open("kubeconfig", "w") as f:
    yaml.safe_dump({"apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": base}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": {"auth-provider": {"name": "oidc", "config": {
            "idp-issuer-url": base, "client-id": "k", "client-secret": "s", "refresh-token": "rt1", "id-token": id_token(1)}}}}]}, f)
def load():
    config.load_kube_config("kubeconfig")
    return client.CoreV1Api()
def call(api):
    try: api.list_namespace(); return 200
    except client.ApiException as e: return e.status
print("load, and call:"); api = load(); results = [call(api)]
offset = datetime.timedelta(hours=2)
print("two hours later, the same program:"); results += [call(api), call(api)]
print("load again, and call:"); results.append(call(load()))
stored = yaml.safe_load(open("kubeconfig"))["users"][0]["user"]["auth-provider"]["config"]["refresh-token"]
print("  the file holds", stored)
print("kubernetes", version("kubernetes"))
print("expected: 200 each time, with one refresh two hours later")
seen = results == [200, 401, 401, 200] and stored == "rt2" and sum(t.startswith("refresh") for t in trace) == 1
print("SEEN: no refresh in a running program, only at load" if seen else f"NO LONGER SEEN {results}")
sys.exit(0 if seen else 1)
PY
venv/bin/python try.py
