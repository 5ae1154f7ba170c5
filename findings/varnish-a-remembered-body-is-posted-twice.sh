#!/usr/bin/env bash
# Software: Varnish 7.1.1-2+deb12u1 (Debian 12), with and without `std.cache_req_body`.
#
# What was run: a token service behind Varnish, which passes everything. The service rotates strictly; it does a refresh and dies before
# its answer, on a connection that Varnish has kept from the request before. The VCL has no `return (retry)`. Once it has
# `std.cache_req_body(10KB)`, as it must to look at a body or to route by it, and once not.
#
# A good engineer would guess: Varnish answers 503 in both cases, since nothing in the VCL asks for a second attempt, and a POST is not
# repeated by itself.
#
# What happens: without the line, 503, and the service saw the refresh once. With it, Varnish takes the silence on a kept connection for
# a stale one, and posts the remembered body again on a new one. The service sees the spent refresh token, and the client gets its
# invalid_grant, as the answer to the only request that it has sent.
#
# What follows: whether a POST is repeated depends on whether its body was remembered, and not on whether a repetition was asked for. A
# line for a log or a route turns a lost answer, which a careful client can keep as a doubt, into a definite refusal, and the client
# throws its tokens away.
#
# How to avoid: keep no connection to a token service (`set bereq.http.Connection = "close"` in `vcl_backend_fetch`; the third run shows
# that each request has a connection of its own then), or leave the bodies of these paths alone.
set -euo pipefail
dir=$(mktemp -d); trap 'kill $(jobs -p) 2> /dev/null || true; rm -rf "$dir"' EXIT; cd "$dir"; chmod 755 .
command -v cc >/dev/null || { echo "cc is missing: Varnish compiles its configuration"; exit 1; }
apt-get download -qq varnish=7.1.1-2+deb12u1 libvarnishapi3 libjemalloc2 >/dev/null 2>&1 || { echo "the Debian 12 packages cannot be fetched (apt-get update first)"; exit 1; }
for deb in *.deb; do dpkg -x "$deb" root; done
cat > try.py <<'PY'
import http.client, json, os, re, socket, subprocess, sys, threading, time

class Service:
    """Rotates, and dies once before its answer: on the second request of a connection."""
    def __init__(self):
        self.listener, self.live, self.seen, self.has_died = socket.create_server(("127.0.0.1", 0)), 1, [], False
        threading.Thread(target=self.run, daemon=True).start()
    def run(self):
        while True: threading.Thread(target=self.serve, args=self.listener.accept()[:1], daemon=True).start()
    def serve(self, connection):
        stream, number = connection.makefile("rb"), 0
        while line := stream.readline():
            length = 0
            while (field := stream.readline()).strip():
                if found := re.match(rb"content-length: (\d+)", field, re.I): length = int(found[1])
            sent, number = stream.read(length).decode(), number + 1
            good = sent == f"refresh-{self.live}"
            self.live += good
            answer = f"refresh-{self.live}" if good else "invalid_grant"
            self.seen.append(f"{sent}: {answer}")
            if number == 2 and not self.has_died:
                self.has_died = True
                connection.shutdown(socket.SHUT_RDWR)
                return
            head = f"HTTP/1.1 {200 if good else 400} Told\r\nContent-Length: {len(answer)}\r\n\r\n"
            connection.sendall((head + answer).encode())

root = os.path.abspath("root") + "/usr"
def try_it(name, line, more=""):
    service = Service()
    with socket.create_server(("127.0.0.1", 0)) as free: port = free.getsockname()[1]
    with open(f"{name}.vcl", "w") as vcl:
        vcl.write(f'vcl 4.1; import std; backend default {{ .host = "127.0.0.1"; .port = "{service.listener.getsockname()[1]}"; }}'
                  f"sub vcl_recv {{ {line} return (pass); }} {more}")
    libraries = f"{root}/lib/x86_64-linux-gnu:{root}/lib/x86_64-linux-gnu/varnish"
    varnish = subprocess.Popen([f"{root}/sbin/varnishd", "-F", "-j", "none", "-a", f"127.0.0.1:{port}", "-f", os.path.abspath(f"{name}.vcl"),
        "-n", os.path.abspath(name), "-s", "malloc,10m", "-T", "none", "-p", f"vmod_path={root}/lib/x86_64-linux-gnu/varnish/vmods"],
        env=dict(os.environ, LD_LIBRARY_PATH=libraries), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(300):
        try: socket.create_connection(("127.0.0.1", port)).close(); break
        except OSError: time.sleep(0.1)
    answers, client = [], http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    for body in ("refresh-1", "refresh-2"):
        client.request("POST", "/token", body)
        answer = client.getresponse()
        text = answer.read().decode()
        answers.append(f"{answer.status} {text if len(text) < 20 else ''}".strip())
    varnish.kill(); varnish.wait()
    print(f"{name}: the client got {'; '.join(answers)}. The service saw {'; '.join(service.seen)}")
    return answers, service.seen

print("Varnish 7.1.1; expected: 503 for the second refresh, which the service saw once, in both cases")
once = ["refresh-1: refresh-2", "refresh-2: refresh-3"]
seen = try_it("plain", "") == (["200 refresh-2", "503"], once)
seen &= try_it("remembered", "std.cache_req_body(10KB);") == (["200 refresh-2", "400 invalid_grant"], [*once, "refresh-2: invalid_grant"])
closed = 'sub vcl_backend_fetch { set bereq.http.Connection = "close"; }'
seen &= try_it("closed", "std.cache_req_body(10KB);", closed) == (["200 refresh-2", "200 refresh-3"], once)
print("SEEN: a remembered body is posted twice" if seen else "NO LONGER SEEN")
sys.exit(0 if seen else 1)
PY
python3 try.py
