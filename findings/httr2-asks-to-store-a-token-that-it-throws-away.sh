#!/usr/bin/env bash
# Software: httr2 0.2.2 (Debian 12, r-cran-httr2), the HTTP client of R, `req_oauth_refresh`; R 4.2.2.
#
# What was run: two API calls of a script that has its refresh token in the environment variable that httr2 reads. The server rotates
# strictly.
#
# A good engineer would guess: the first call gets an access token and is made. If the script must store the new refresh token, it can
# read it somewhere. The second call goes by the access token, which is good for an hour.
#
# What happens: the first call refreshes, and ends with the error "Refresh token has changed! Please update stored value" before the
# request to the API is sent. Neither the message nor the condition has the new value, and no cache has it. The second call sends the
# spent refresh token, and fails with invalid_grant.
#
# What follows: at a server that rotates, this way makes no call at all, and the first try ends the grant. The advice of the error
# cannot be followed, since the only copy of the value was in the function that raised it.
#
# How to avoid: send the refresh as a request of your own and store its answer, or use a login with a cache on disk
# (`req_oauth_auth_code(cache_disk = TRUE)`). In code of one's own: an answer that cannot be asked for again is stored, or returned,
# before anything is found wrong with it.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"; chmod 755 .
apt-get download -qq r-cran-httr2=0.2.2-2 r-base-core r-cran-cli r-cran-curl r-cran-glue r-cran-magrittr r-cran-openssl r-cran-r6 \
  r-cran-rappdirs r-cran-rlang r-cran-withr r-cran-askpass r-cran-sys r-cran-jsonlite libblas3 liblapack3 libgfortran5 libquadmath0 \
  libgomp1 libtirpc3 libreadline8 libpcre2-8-0 libcurl4 libicu72 libdeflate0 libgssapi-krb5-2 libnghttp2-14 libpsl5 libssh2-1 \
  librtmp1 libldap-2.5-0 libbrotli1 libxml2 >/dev/null 2>&1 || { echo "the Debian 12 packages cannot be fetched (apt-get update first)"; exit 1; }
for deb in *.deb; do dpkg -x "$deb" root; done
cat > calls.R <<'R'
library(httr2)
base <- Sys.getenv("BASE")
client <- oauth_client("client", paste0(base, "token"), secret = "secret")
call <- function() resp_status(req_perform(req_oauth_refresh(request(paste0(base, "api")), client, Sys.getenv("HTTR_REFRESH_TOKEN"))))
for (number in 1:2) {
  cat(tryCatch(call(), error = function(error) {
    has_it <- any(grepl(paste0("refresh-", 2), capture.output(str(unclass(error)))))
    paste0(gsub("\n", " ", conditionMessage(error)), if (has_it) " (with the new value)" else " (without the new value)")
  }), "\n", sep = "")
}
R
cat > try.py <<'PY'
import http.server, json, os, subprocess, sys, threading, urllib.parse

live, requests = ["refresh-1"], []

class Server(http.server.BaseHTTPRequestHandler):
    def log_message(self, *a): pass
    def answer(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers(); self.wfile.write(data)
    def do_GET(self):
        requests.append("a call of the API")
        self.answer(200, {})
    def do_POST(self):
        sent = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))["refresh_token"]
        if sent != live[-1]:
            requests.append(f"{sent}: invalid_grant")
            return self.answer(400, {"error": "invalid_grant"})
        live.append(f"refresh-{len(live) + 1}")
        requests.append(f"{sent}: {live[-1]}")
        self.answer(200, {"access_token": "access", "token_type": "bearer", "expires_in": 3600, "refresh_token": live[-1]})

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
root = os.path.abspath("root") + "/usr"
libraries = [f"{root}/lib/R/lib"] + [f"{root}/lib/x86_64-linux-gnu{part}" for part in ("", "/blas", "/lapack")]
environment = dict(os.environ, R_HOME=f"{root}/lib/R", R_SHARE_DIR=f"{root}/share/R/share", R_LIBS=f"{root}/lib/R/site-library:{root}/lib/R/library",
                   LD_LIBRARY_PATH=":".join(libraries), R_DEFAULT_PACKAGES="methods,utils,stats", EDITOR="vi", PAGER="cat",
                   BASE=f"http://127.0.0.1:{server.server_port}/", HTTR_REFRESH_TOKEN="refresh-1")
done = subprocess.run([f"{root}/lib/R/bin/exec/R", "--no-echo", "--no-restore", "--vanilla", "--file=calls.R"], env=environment,
                      capture_output=True, text=True, timeout=120)
calls = [line for line in done.stdout.splitlines() if "Renviron" not in line]
print("httr2 0.2.2")
print("expected: one refresh and two calls of the API")
for number, outcome in enumerate(calls, 1): print(f"call {number}: {outcome}")
print("the server saw:", "; ".join(requests))
seen = (len(calls) == 2 and calls[0].startswith("Refresh token has changed!") and calls[0].endswith("(without the new value)")
        and "invalid_grant" in calls[1] and requests == ["refresh-1: refresh-2", "refresh-1: invalid_grant"])
print("SEEN: the error asks to store a value that nobody has any more" if seen else "NO LONGER SEEN " + done.stderr)
sys.exit(0 if seen else 1)
PY
python3 try.py
