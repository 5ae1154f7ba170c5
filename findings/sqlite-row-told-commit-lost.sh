#!/usr/bin/env bash
# SQLite's RETURNING hands out the row before the commit; three drivers then lose the commit's error.
#
# Software: rusqlite 0.37.0 (Rust, bundled SQLite), libsql 0.5.29 (npm), apsw 3.54.1.0 (PyPI).
#           Contrast: the sqlite3 module of Python's standard library.
# What is run: a token table in a file, with SQLite's default journal. A second connection is in the
#   middle of a SELECT. The first connection claims a token in one statement, in autocommit mode:
#   UPDATE ... SET used=1 WHERE id=1 AND used=0 RETURNING id. It asks for the first row.
# What a good engineer would guess: one statement is one transaction. A row that came back was written;
#   a claim that could not be written gives "database is locked" and no row.
# What happens: the statement hands out its row first and commits when the driver resets it. That commit
#   needs the exclusive lock, waits for the busy timeout, and fails. The three drivers reset the statement
#   after the first row and do not report that error, although sqlite3_reset returns it to them. The caller holds the row, the file says used=0,
#   and the next worker can claim the same token. "All rows" calls of the same drivers do raise.
# What follows: a single-use claim, a lease or a counter read through a "first row" call can be won by
#   two workers. The row is no proof of the write.
# How to avoid it: read until the end of the rows (rusqlite: query_one or query_map and collect; libsql:
#   all(); apsw: .get or a loop), or put BEGIN IMMEDIATE and COMMIT around the claim, so that the COMMIT
#   is a statement of its own whose error is seen.
set -euo pipefail
T=$(mktemp -d); HOLD=; trap '[ -z "$HOLD" ] || kill "$HOLD" 2>/dev/null || true; rm -rf "$T"' EXIT
cd "$T"
echo "guess: no row without a commit: each call below raises 'database is locked' while a reader is active"

echo "installing rusqlite 0.37.0, libsql 0.5.29, apsw 3.54.1.0 ..."
mkdir -p rs/src && cat > rs/Cargo.toml <<'X'
[package]
name = "probe"
version = "0.1.0"
edition = "2021"
[dependencies]
rusqlite = { version = "=0.37.0", features = ["bundled"] }
X
cat > rs/src/main.rs <<'X'
use std::time::Duration;
fn main() {
    let db = rusqlite::Connection::open(std::env::args().nth(1).unwrap()).unwrap();
    db.busy_timeout(Duration::from_millis(300)).unwrap();
    let sql = "UPDATE t SET used=1 WHERE id=1 AND used=0 RETURNING id";
    let first = db.query_row(sql, [], |row| row.get::<_, i64>(0));
    println!("first {}", first.map(|id| format!("row id={id}")).unwrap_or_else(|e| e.to_string()));
    let mut all = db.prepare(sql).unwrap();
    let rows: Result<Vec<i64>, _> = all.query_map([], |row| row.get(0)).unwrap().collect();
    println!("all {}", rows.map(|r| format!("rows {r:?}")).unwrap_or_else(|e| e.to_string()));
}
X
cat > probe.js <<'X'
const db = new (require('libsql'))(process.argv[2]); db.pragma('busy_timeout=300');
const sql = 'UPDATE t SET used=1 WHERE id=1 AND used=0 RETURNING id';
try { console.log('first row id=' + db.prepare(sql).get().id); } catch (e) { console.log('first ' + e.message); }
try { console.log('all rows ' + db.prepare(sql).all().length); } catch (e) { console.log('all ' + e.message); }
X
cat > probe_apsw.py <<'X'
import apsw, sys
db = apsw.Connection(sys.argv[1]); db.set_busy_timeout(300)
sql = "UPDATE t SET used=1 WHERE id=1 AND used=0 RETURNING id"
for name, call in (("first", lambda: "row id=%d" % db.execute(sql).fetchone()), ("all", lambda: "rows %r" % db.execute(sql).get)):
    try: print(name, call())
    except apsw.Error as e: print(name, e)
X
cat > probe_std.py <<'X'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=0.3)
try: print("first row id=%d" % db.execute("UPDATE t SET used=1 WHERE id=1 AND used=0 RETURNING id").fetchone())
except sqlite3.Error as e: print("first", e)
X
cat > hold.py <<'X'
import sqlite3, sys, time
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.executescript("DROP TABLE IF EXISTS t; CREATE TABLE t(id INTEGER PRIMARY KEY, used INT); INSERT INTO t VALUES(1,0),(2,0)")
cur = db.execute("SELECT id FROM t"); cur.fetchone()          # a reader in the middle of its rows
open(sys.argv[2], "w").close(); time.sleep(60)
X
nice -n 5 cargo build -q --manifest-path rs/Cargo.toml --target-dir "$T/target"
npm install --silent --no-audit --no-fund --prefix "$T" libsql@0.5.29 >/dev/null
python3 -m venv v && v/bin/pip -q --disable-pip-version-check install apsw==3.54.1.0

try() { # name command...: runs the claim while a reader is active, then reads the file
  local name=$1; shift; rm -f db db-journal up
  python3 hold.py db up & HOLD=$!
  for _ in $(seq 50); do [ -e up ] && break; sleep 0.1; done
  timeout 20 "$@" db > out
  kill "$HOLD"; wait "$HOLD" 2>/dev/null || true; HOLD=
  USED=$(python3 -c 'import sqlite3; print(sqlite3.connect("db").execute("SELECT used FROM t WHERE id=1").fetchone()[0])')
  sed "s/^/  /" out; echo "  in the file afterwards: used=$USED   ($name)"
}
bad=0
lost() { grep -q '^first row id=1$' out && [ "$USED" = 0 ] && grep -q '^all .*locked' out || { bad=1; echo "  NOT SEEN for $1"; }; }
try "rusqlite 0.37.0" target/debug/probe; lost rusqlite
try "libsql 0.5.29" node probe.js; lost libsql
try "apsw 3.54.1.0" v/bin/python probe_apsw.py; lost apsw
try "Python's own sqlite3, for contrast" python3 probe_std.py
grep -q '^first database is locked' out || { bad=1; echo "  the contrast has changed"; }
[ $bad = 0 ] || { echo "CHANGED: the behaviour is no longer seen"; exit 1; }
echo "SEEN: three drivers return the claimed row although its commit failed"
