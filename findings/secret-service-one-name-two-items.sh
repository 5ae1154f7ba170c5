#!/usr/bin/env bash
# Software: keyring 25.7.0 with SecretStorage 3.5.0 (PyPI), @napi-rs/keyring 2.1.2 (npm, a binding of the Rust
# crate), and gnome-keyring 42.1-1+b2 (Debian 12) as the Secret Service, on a session bus of its own.
#
# What was run: two programs share twelve grants in the desktop's keyring, each under one service and user name.
# First the Node.js program stores rt1, the Python program stores rt2 after a refresh, and both read. Then the
# same is done under another service name, with Python as the first writer.
#
# A good engineer would guess: service and user name are the key, as in every interface of this kind. A write
# replaces the item of that name, and it does not matter which program was first.
#
# What happens: it matters. The Python library writes with one attribute more ("application") than it searches
# with. If the Node.js program was first, its item has not got this attribute, so nothing is replaced and a
# second item is made, without an error. Which of the two the Python search returns then is chance: in some runs
# all twelve reads gave rt2, in others up to five gave the spent rt1, right after rt2 was written. The Node.js binding demands a single
# match: from now on it fails at reading and at writing too, so it cannot mend the state, not even by a login.
# If Python was first, then the Node.js program finds the Python item and writes into it, and all is well.
#
# What follows: neither program has a fault when it is alone, and a test in which the "right" one logs in first
# passes. At the other order the grant is lost to one program at the first rotation.
#
# How to avoid: give each program its own service name. If two must share, delete before each write, until
# nothing is left (Python: delete_password() until it raises; shown below). Read back after each write, and
# test both orders of the first login.
set -euo pipefail
dir=$(mktemp -d); trap 'kill $(cat "$dir"/*.pid 2>/dev/null) 2>/dev/null; wait; rm -rf "$dir"' EXIT; cd "$dir"
chmod 755 .
apt-get download -qq gnome-keyring=42.1-1+b2 libgck-1-0 libgcr-base-3-1 libcap-ng0 libp11-kit0 libsecret-1-0 \
  libglib2.0-0 dbus-daemon libdbus-1-3 libexpat1 libapparmor1 libaudit1 >/dev/null 2>&1 \
  || { echo "gnome-keyring 42.1-1+b2 cannot be fetched (Debian 12; after apt-get update)"; exit 1; }
for deb in *.deb; do dpkg -x "$deb" root; done
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check keyring==25.7.0 SecretStorage==3.5.0 jeepney==0.9.0
npm init -y >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts @napi-rs/keyring@2.1.2
cat > bus.conf <<CONF
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:dir=$dir</listen>
  <policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy>
</busconfig>
CONF
mkdir -m 700 home run
export HOME=$dir/home XDG_RUNTIME_DIR=$dir/run XDG_DATA_HOME=$dir/home/data
libs=$dir/root/lib/x86_64-linux-gnu:$dir/root/usr/lib/x86_64-linux-gnu
LD_LIBRARY_PATH=$libs root/usr/bin/dbus-daemon --config-file="$dir/bus.conf" --nofork --print-address > address 2> bus.log &
echo $! > bus.pid
for _ in $(seq 50); do [ -s address ] && break; sleep 0.1; done
export DBUS_SESSION_BUS_ADDRESS; DBUS_SESSION_BUS_ADDRESS=$(cat address)
# --foreground, so that the daemon can be ended by its process id.
printf pw | LD_LIBRARY_PATH=$libs root/usr/bin/gnome-keyring-daemon --foreground --unlock --components=secrets > gk.log 2>&1 &
echo $! > gk.pid
sleep 2
cat > node.js <<'JS'
const { Entry } = require("@napi-rs/keyring");
const [, , service, verb, token] = process.argv, counts = {};
for (let i = 1; i <= 12; i++) {
  const entry = new Entry(service, "user" + i, { linux: { store: "secret-service" } });
  let result;
  try {
    if (verb === "write") entry.setPassword(token);
    result = (verb === "write" ? "wrote " : "reads ") + (verb === "write" ? token : entry.getPassword());
  } catch (x) { result = verb + " failed: " + x.message.split(":")[0]; }
  counts[result] = (counts[result] || 0) + 1;
}
for (const [k, n] of Object.entries(counts)) console.log("node  :", k, "x", n);
JS
cat > python.py <<'PY'
import collections, sys, keyring
from keyring.errors import PasswordDeleteError
service, token, clean = sys.argv[1], sys.argv[2], len(sys.argv) > 3
counts = collections.Counter()
for i in range(1, 13):
    key = (service, f"user{i}")
    try:
        while clean: keyring.delete_password(*key)
    except PasswordDeleteError: pass
    keyring.get_password(*key)          # read, refresh, write: as a client does
    keyring.set_password(*key, token)
    counts[keyring.get_password(*key)] += 1
for read, n in sorted(counts.items()): print(f"python: wrote {token} without an error, reads {read} x {n}")
PY
{
  echo "-- Node.js writes first"
  node node.js a write rt1; node node.js a read
  venv/bin/python python.py a rt2
  node node.js a read; node node.js a write rt3
  echo "-- Python deletes first, then writes"
  venv/bin/python python.py a rt4 clean
  node node.js a read
  echo "-- Python writes first"
  venv/bin/python python.py b rt1
  node node.js b write rt2; node node.js b read
  venv/bin/python python.py b rt3
  node node.js b read
} | tee out
echo "keyring 25.7.0, @napi-rs/keyring 2.1.2, gnome-keyring 42.1"
echo "expected: each read gives what was written last, in either order"
has() { grep -qF -- "$1" out; }
has "node  : read failed: Entry is matched by 2 credentials x 12" && has "node  : write failed: Entry is matched by 2 credentials x 12" \
  && has "node  : reads rt4 x 12" && [ "$(sed -n '/Python writes first/,$p' out | grep -c 'reads rt[123] x 12')" = 4 ] \
  && ! sed -n '/Python writes first/,$p' out | grep -q failed \
  && echo "SEEN: a write under the same name made a second item, and locked the other program out" \
  || { echo "NO LONGER SEEN"; tail -n 3 bus.log; tail -n 3 gk.log; exit 1; }
