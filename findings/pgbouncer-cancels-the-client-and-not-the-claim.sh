#!/usr/bin/env bash
# PgBouncer: query_timeout "cancels" a query for the client alone; the server goes on, and commits.
#
# Software (Debian 12): PgBouncer 1.18.0-1+deb12u1 in front of PostgreSQL 15 (postgresql-15 and postgresql-client-15,
#   15.18-0+deb12u1), pool_mode = transaction, query_timeout = 1.
# What is run: a client claims a refresh token in one autocommit UPDATE ... RETURNING that takes three seconds (a sleep
#   stands for a lock, or a slow disk). After its error it looks at the row, waits, and looks again. For contrast the same
#   with statement_timeout = 1s in the server.
# What a good engineer would guess: the documentation says that queries running longer than that are cancelled, and
#   PgBouncer knows how to cancel: it passes on the cancel requests of its clients. So after one second the UPDATE is undone.
# What happens: PgBouncer closes both connections and sends no cancel request. The server does not look at its socket while
#   a statement runs: the UPDATE goes on for two seconds, commits, and finds out that nobody is there when it sends the
#   row. The client's error is a FATAL without a hint of that. At once after it, the row still reads as free.
# What follows: a worker that takes the error for "not claimed" and looks at the row sees that it is free, and is wrong two
#   seconds later: the token is claimed, and nobody knows that the claim is his.
# How to avoid: set statement_timeout below query_timeout, as the documentation advises: then the server itself
#   cancels. Make a claim such that its owner recognizes it (a random number), and take each broken connection for unknown.
set -euo pipefail
WANT=15.18-0+deb12u1; POOLER=1.18.0-1+deb12u1
T=$(mktemp -d); chmod 755 "$T"; D=$T/pg
as() { setpriv --reuid nobody --regid nogroup --clear-groups "$@"; }
cleanup() {
  [ ! -s "$D/pooler.pid" ] || kill "$(cat "$D/pooler.pid")" 2>/dev/null || true
  [ ! -e "$D/data/postmaster.pid" ] || as "$B/pg_ctl" -D "$D/data" -m immediate -w stop >/dev/null 2>&1 || true; rm -rf "$T"
}
B=$T/root/usr/lib/postgresql/15/bin; trap cleanup EXIT
mkdir -p "$T/debs" "$T/root" "$D"; cd "$T"
for p in postgresql-15=$WANT postgresql-client-15=$WANT libpq5=$WANT pgbouncer=$POOLER; do
  (cd debs && apt-get download -q "$p" >/dev/null 2>&1) || { echo "cannot get the Debian package $p (try apt-get update)"; exit 2; }
done
for d in debs/*.deb; do dpkg -x "$d" root; done
export LD_LIBRARY_PATH=$T/root/usr/lib/x86_64-linux-gnu
ldd "$B/postgres" root/usr/sbin/pgbouncer | grep 'not found' && { echo "a library is missing: apt-get install -y --no-install-recommends postgresql-15=$WANT pgbouncer=$POOLER brings it"; exit 2; }
chown nobody:nogroup "$D"; as "$B/initdb" -D "$D/data" -A trust -U app -N -L "$T/root/usr/share/postgresql/15" >/dev/null
cat >> "$D/data/postgresql.conf" <<X
listen_addresses = ''
unix_socket_directories = '$D'
X
as "$B/pg_ctl" -D "$D/data" -l "$D/log" -w start >/dev/null
cat > pooler.ini <<X
[databases]
postgres = host=$D user=app
[pgbouncer]
listen_port = 6432
unix_socket_dir = $D
auth_type = any
pool_mode = transaction
query_timeout = 1
pidfile = $D/pooler.pid
logfile = $D/pooler.log
X
chmod 644 pooler.ini; as root/usr/sbin/pgbouncer -q -d pooler.ini
psql() { "$B/psql" -h "$D" -U app -d postgres -X -q -A -t "$@" 2>&1; }
direct() { psql -c "$1" || true; }
direct "CREATE TABLE token(id int PRIMARY KEY, used int); INSERT INTO token VALUES (1,0), (2,0)"
CLAIM="UPDATE token SET used=1 WHERE used=0 AND pg_sleep(3) IS NOT NULL AND id="
echo "guess: after 1 s the claim is cancelled and undone"
echo "version: PgBouncer $(root/usr/sbin/pgbouncer --version | sed -n 's/^PgBouncer //p'), PostgreSQL $(direct 'SHOW server_version')"
ERROR=$(psql -p 6432 -c "$CLAIM 1 RETURNING 'claimed'" || true); echo "  the client of PgBouncer has: $(tr '\n' ' ' <<<"$ERROR")"
THEN=$(direct "SELECT used FROM token WHERE id=1"); RUNS=$(direct "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'UPDATE%'")
sleep 3; LATER=$(direct "SELECT used FROM token WHERE id=1")
echo "  at once after it: used=$THEN, statements that still run: $RUNS; 3 s later: used=$LATER"
LIMIT=$(PGOPTIONS='-c statement_timeout=1s' psql -c "$CLAIM 2 RETURNING 'claimed'" || true); sleep 3
UNDONE=$(direct "SELECT used FROM token WHERE id=2"); echo "  with statement_timeout: $(head -1 <<<"$LIMIT"); 3 s later: used=$UNDONE"
if [ "$THEN $RUNS $LATER $UNDONE" = "0 1 1 0" ] && grep -q "query timeout" <<<"$ERROR" && ! grep -q claimed <<<"$ERROR"; then
  echo "SEEN: the client was told of a timeout, and its claim was committed two seconds later"
else echo "CHANGED: the behaviour is no longer seen"; exit 1; fi
