#!/usr/bin/env bash
# PostgreSQL: statement_timeout does not cover the commit, so a claim can wait for a standby for ever.
#
# Software: PostgreSQL 15 (Debian 12, postgresql-15 and postgresql-client-15, 15.18-0+deb12u1).
# What is run: a server that waits for a synchronous standby which is away (as after the standby's crash).
#   A client with statement_timeout = 1s claims a refresh token in one autocommit UPDATE ... RETURNING.
#   The client gives up after 4 s and is gone. Then an operator cancels the waiting backend.
# What a good engineer would guess: after 1 s the statement is cancelled, the client has an error,
#   the claim is undone, and the row is free. At the latest this holds when the client is gone.
# What happens: the timeout is switched off before the commit starts, so it never fires in that wait. The
#   client has its RETURNING row neither after 1 s nor later. Meanwhile others read used=0, an UPDATE of the row
#   runs into its own lock_timeout (that one does work), and SKIP LOCKED passes the row over. The departed
#   client's backend keeps waiting, and keeps the row. A cancel ends the wait by COMMITTING: then used=1.
# What follows: statement_timeout is no upper limit for a claim or a rotation. No client is left to use the lease, yet
#   a live session seems to hold it. "Timed out, so not done" is wrong: the claim is done, only not yet visible.
# How to avoid it: bound the call in the client and treat that as "unknown", never as "not done"; read the
#   row again after the wait is over; watch pg_stat_activity for wait_event = SyncRep; commit what may be
#   lost with synchronous_commit = local.
set -euo pipefail
WANT=15.18-0+deb12u1
T=$(mktemp -d); chmod 755 "$T"; D=$T/pg; JOB=
as() { setpriv --reuid nobody --regid nogroup --clear-groups "$@"; }
cleanup() { [ -z "$JOB" ] || kill "$JOB" 2>/dev/null || true; [ ! -e "$D/data/postmaster.pid" ] || as "$B/pg_ctl" -D "$D/data" -m immediate -w stop >/dev/null 2>&1 || true; rm -rf "$T"; }
B=$T/root/usr/lib/postgresql/15/bin; trap cleanup EXIT
mkdir -p "$T/debs" "$T/root" "$D"; cd "$T"
for p in postgresql-15=$WANT postgresql-client-15=$WANT libpq5=$WANT; do
  (cd debs && apt-get download -q "$p" >/dev/null 2>&1) || { echo "cannot get the Debian package $p (try apt-get update)"; exit 2; }
done
for d in debs/*.deb; do dpkg -x "$d" root; done
export LD_LIBRARY_PATH=$T/root/usr/lib/x86_64-linux-gnu
ldd "$B/postgres" | grep 'not found' && { echo "a library is missing: apt-get install -y --no-install-recommends postgresql-15=$WANT brings it"; exit 2; }
chown nobody:nogroup "$D"; as "$B/initdb" -D "$D/data" -A trust -U app -N -L "$T/root/usr/share/postgresql/15" >/dev/null
cat >> "$D/data/postgresql.conf" <<X
listen_addresses = ''
unix_socket_directories = '$D'
synchronous_standby_names = 'standby_that_is_away'
synchronous_commit = local          # only the claim below asks for the standby
X
as "$B/pg_ctl" -D "$D/data" -l "$D/log" -w start >/dev/null
q() { "$B/psql" -h "$D" -U app -d postgres -X -q -A -t -c "$1" 2>&1; }
q "CREATE TABLE token(id int PRIMARY KEY, used int); INSERT INTO token VALUES (1,0), (2,0)"
echo "guess: the claim is cancelled after 1 s, and the row is free"
echo "version: $(q 'SHOW server_version')"
PGOPTIONS='-c statement_timeout=1s -c synchronous_commit=on' timeout 4 "$B/psql" -h "$D" -U app -d postgres -X -q -A -t \
  -c "UPDATE token SET used=1 WHERE id=1 AND used=0 RETURNING 'claimed'" > claim 2>&1 & JOB=$!
# The same timeout does work on a statement that is slow before its commit.
SLOW=$(PGOPTIONS='-c statement_timeout=1s' q "SELECT pg_sleep(2)" || true); echo "  control, pg_sleep(2): $SLOW"
sleep 1.5
WAITS=$(q "SELECT count(*) FROM pg_stat_activity WHERE wait_event='SyncRep' AND now()-query_start > interval '2s'")
echo "  backends that wait for the standby, past 2 s: $WAITS"
READ=$(q "SELECT used FROM token WHERE id=1"); SKIP=$(q "SELECT string_agg(id::text,',') FROM (SELECT id FROM token FOR UPDATE SKIP LOCKED) x")
BUSY=$(q "SET lock_timeout='300ms'; UPDATE token SET used=1 WHERE id=1" || true)
echo "  others meanwhile: used=$READ; SKIP LOCKED finds id $SKIP; UPDATE: $(head -1 <<<"$BUSY")"
RC=0; wait "$JOB" || RC=$?; JOB=; sleep 1
AFTER=$(q "SELECT count(*) FROM pg_stat_activity WHERE wait_event='SyncRep'"); STILL=$(q "SELECT used FROM token WHERE id=1")
echo "  client gave up (exit $RC, it had printed '$(cat claim)'); 1 s later: $AFTER backend waits, used=$STILL"
q "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event='SyncRep'" >/dev/null; sleep 0.5
DONE=$(q "SELECT used FROM token WHERE id=1"); echo "  after pg_cancel_backend: used=$DONE"
if [ "$WAITS $READ $SKIP $RC $AFTER $STILL $DONE" = "1 0 2 124 1 0 1" ] && grep -q 'statement timeout' <<<"$SLOW" && grep -q 'lock timeout' <<<"$BUSY" && ! grep -q timeout claim; then
  echo "SEEN: the claim waited four times its statement_timeout, outlived its client, and was committed by a cancel"
else echo "CHANGED: the behaviour is no longer seen"; exit 1; fi
