#!/usr/bin/env bash
# Software: mutt_oauth2.py of mutt 2.2.12 (Debian 12), which mutt and neomutt call for access tokens, with GnuPG 2.2.
#
# What was run: the script as it asks to be set up, with a GPG identity and the endpoint of a server on loopback, which rotates
# strictly. The token file was written while the GPG key was good; the key has expired when the next mail is fetched, and once more
# after its owner has prolonged it.
#
# A good engineer would guess: with an expired key the file can neither be read nor written. Or it can be read, and the script prints
# a token and complains. In any case all is well when the key is prolonged.
#
# What happens: an expired key still decrypts, so the script reads the refresh token and sends it. Then it encrypts the new pair, which an
# expired key does not do, and ends with a stack trace. The file has the spent refresh token. When the key has been prolonged, the
# script works again as a program, and the server answers invalid_grant.
#
# What follows: the renewal of a key, which is due every year or two, costs the login of each mailbox, if mail is fetched between
# expiry and renewal. The trace speaks of gpg and not of tokens. "I could read it" is no sign of "I can write it".
#
# How to avoid: take a pipe that can write for as long as it can read (a symmetric passphrase, or age). In code of one's own: encrypt
# something before the refresh token is sent, with the same recipient, or keep the answer in a second place until it is stored.
set -euo pipefail
dir=$(mktemp -d); trap 'gpgconf --kill all 2> /dev/null || true; rm -rf "$dir"' EXIT; cd "$dir"; chmod 755 .
apt-get download -qq mutt=2.2.12-0.1~deb12u2 >/dev/null 2>&1 || { echo "the Debian 12 package cannot be fetched (apt-get update first)"; exit 1; }
command -v gpg >/dev/null || { echo "gpg is missing (apt-get install gpg)"; exit 1; }
dpkg -x mutt_*.deb root
export GNUPGHOME=$dir/gpg; mkdir -m 700 gpg
gpg --quiet --batch --pinentry-mode loopback --passphrase '' --quick-generate-key mail@example.org future-default default seconds=5 2> gpg.log
cat > try.py <<'PY'
import http.server, json, os, pathlib, subprocess, sys, threading, time, urllib.parse

live, requests = ["refresh-1"], []

class Server(http.server.BaseHTTPRequestHandler):
    def log_message(self, *a): pass
    def do_POST(self):
        sent = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))["refresh_token"]
        status, body = 400, {"error": "invalid_grant"}
        if sent == live[-1]:
            live.append(f"refresh-{len(live) + 1}")
            status, body = 200, {"access_token": f"access-{len(live)}", "token_type": "Bearer", "expires_in": 3600, "refresh_token": live[-1]}
        requests.append(f"{sent}: {body.get('refresh_token') or body['error']}")
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers(); self.wfile.write(data)

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
script = pathlib.Path("root/usr/share/doc/mutt/examples/mutt_oauth2.py").read_text()
script = script.replace("YOUR_GPG_IDENTITY", "mail@example.org").replace(
    "https://accounts.google.com/o/oauth2/token", f"http://127.0.0.1:{server.server_port}/token")
pathlib.Path("mutt_oauth2.py").write_text(script)

saved = {"registration": "google", "authflow": "authcode", "email": "mail@example.org", "access_token": "access-1",
         "access_token_expiration": "2020-01-01T00:00:00", "refresh_token": "refresh-1"}
gpg = ["gpg", "--quiet", "--batch"]
tokens = subprocess.run([*gpg, "--encrypt", "--recipient", "mail@example.org"], input=json.dumps(saved).encode(), capture_output=True, check=True)
path = pathlib.Path("tokens"); path.touch(mode=0o600); path.write_bytes(tokens.stdout)

def fetch_mail():
    done = subprocess.run([sys.executable, "mutt_oauth2.py", "tokens"], capture_output=True, text=True)
    return (done.stdout.strip().splitlines() or done.stderr.strip().splitlines()[-1:])

time.sleep(6)
expired = fetch_mail()
fingerprint = next(line.split(":")[9] for line in subprocess.run([*gpg, "--with-colons", "--list-keys"], capture_output=True, text=True).stdout.splitlines() if line.startswith("fpr"))
for parts in ([], ["*"]):
    subprocess.run([*gpg, "--pinentry-mode", "loopback", "--passphrase", "", "--quick-set-expire", fingerprint, "1y", *parts], check=True, capture_output=True)
prolonged = fetch_mail()
print("mutt_oauth2.py of mutt 2.2.12")
print("expected: refresh-1: refresh-2, and a token at last")
print("with the expired key:", expired[-1][:150])
print("with the prolonged key:", ", ".join(prolonged))
print("the server saw:", "; ".join(requests))
seen = "gpg" in expired[-1] and "invalid_grant" in prolonged and requests == ["refresh-1: refresh-2", "refresh-1: invalid_grant"]
print("SEEN: the refresh token was spent, and the new one could not be written" if seen else "NO LONGER SEEN")
sys.exit(0 if seen else 1)
PY
python3 try.py
