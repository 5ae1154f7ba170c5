#!/usr/bin/env bash
# redis-py 8 repeats a command whose answer was lost, so a worker loses a claim that it has just won.
#
# Software: redis-py 8.1.0 (PyPI) with redis-server 7.0.15-1~deb12u10 (Debian 12). Contrast: redis-py 5.2.1.
# What is run: clients with default settings, through a small relay that forwards one chosen command, lets
#   the server carry it out, and cuts the connection before the answer (a failover or a proxy's restart does that).
#   The commands: GETDEL of a single-use token, SET NX PX of a lease, INCR of a counter, and redis-py's Lock.
# What a good engineer would guess: a ConnectionError, since nobody asked for a retry and these commands
#   are not safe to repeat. That is what redis-py 5.2.1 does.
# What happens: redis-py 8.1.0 connects again and sends the command again, without a word.
#   GETDEL gives None: the token is gone, and nobody has it. SET NX gives None although the lease holds this
#   worker's own name. INCR gives 2. Lock.acquire waits for its own lease to run out.
# What follows: "None" from a claim does not mean that another worker won. After an upgrade, code that
#   caught ConnectionError and looked again no longer gets that chance.
# How to avoid it: Redis(retry=Retry(NoBackoff(), 0)) for commands that must not run twice; or read the lease
#   back after a None and compare the name in it with one's own.
set -euo pipefail
T=$(mktemp -d); chmod 755 "$T"; trap 'rm -rf "$T"' EXIT; cd "$T"; mkdir debs root
for p in redis-server=5:7.0.15-1~deb12u10 redis-tools=5:7.0.15-1~deb12u10 libjemalloc2=5.3.0-1 liblzf1=3.6-3; do
  (cd debs && apt-get download -q "$p" >/dev/null 2>&1) || { echo "cannot get the Debian package $p (try apt-get update)"; exit 2; }
done
for d in debs/*.deb; do dpkg -x "$d" root; done
for v in 8.1.0 5.2.1; do python3 -m venv "v$v"; "v$v/bin/pip" -q --disable-pip-version-check install "redis==$v"; done
cat > probe.py <<'X'
import os, socket, subprocess, sys, threading, time
import redis
def free():
    with socket.socket() as s: s.bind(("127.0.0.1", 0)); return s.getsockname()[1]
real, relay = free(), free()
env = dict(os.environ, LD_LIBRARY_PATH=os.path.abspath("root/usr/lib/x86_64-linux-gnu"))
server = subprocess.Popen(["root/usr/bin/redis-server", "--port", str(real), "--bind", "127.0.0.1", "--save", ""], stdout=subprocess.DEVNULL, env=env)
direct = redis.Redis(port=real); lose = {"command": None}; sent = []
def serve(client):
    upstream = socket.create_connection(("127.0.0.1", real))
    while data := client.recv(65536):
        name = data.split(b"\r\n")[2].decode().upper()
        key = data.split(b"\r\n")[4].decode() if data.count(b"\r\n") > 3 else ""
        if key in ("token", "lease", "count", "lock"): sent.append(name)
        upstream.sendall(data); answer = upstream.recv(65536)      # the server has carried the command out
        if name == lose["command"] and key in ("token", "lease", "count", "lock"): lose["command"] = None; break   # and its answer is lost, once
        client.sendall(answer)
    upstream.close(); client.close()
def listen():
    with socket.create_server(("127.0.0.1", relay)) as s:
        while True: threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
def attempt(name, command, call):
    lose["command"] = command; sent.clear(); start = time.monotonic()
    try: result = repr(call())
    except redis.ConnectionError: result = "ConnectionError"
    print(f"{name}: {result}; sent: {','.join(sent[:2])}; took {time.monotonic()-start:.0f} s")
try:
    for _ in range(50):
        try: direct.ping(); break
        except redis.ConnectionError: time.sleep(0.1)
    threading.Thread(target=listen, daemon=True).start(); time.sleep(0.2)
    direct.set("token", "R1"); worker = redis.Redis(port=relay)
    attempt("GETDEL", "GETDEL", lambda: worker.getdel("token"))
    attempt("SET NX", "SET", lambda: worker.set("lease", "worker-1", nx=True, px=30000))
    print("the lease holds:", direct.get("lease").decode(), "; the token:", direct.get("token"))
    attempt("INCR", "INCRBY", lambda: worker.incr("count"))
    attempt("Lock", "SET", lambda: worker.lock("lock", timeout=3).acquire(blocking_timeout=8))
finally: server.kill(); server.wait()
X
echo "guess: ConnectionError, and each command is sent once"
for v in 8.1.0 5.2.1; do echo "redis-py $v:"; timeout 60 "v$v/bin/python" probe.py > "out$v"; sed 's/^/  /' "out$v"; done
has() { grep -qF "$2" "out$1" || { echo "  not seen with $1: $2"; bad=1; }; }
bad=0
has 8.1.0 "GETDEL: None; sent: GETDEL,GETDEL"; has 8.1.0 "SET NX: None; sent: SET,SET"; has 8.1.0 "the lease holds: worker-1 ; the token: None"
has 8.1.0 "INCR: 2; sent: INCRBY,INCRBY"; grep -Eq "^Lock: True; sent: SET,SET; took [3-7] s" out8.1.0 || bad=1
for c in "GETDEL: ConnectionError; sent: GETDEL;" "SET NX: ConnectionError; sent: SET;" "INCR: ConnectionError; sent: INCRBY;"; do has 5.2.1 "$c"; done
[ $bad = 0 ] || { echo "CHANGED: the behaviour is no longer seen"; exit 1; }
echo "SEEN: redis-py 8.1.0 repeats commands that are not safe to repeat; a won claim reads as lost"
