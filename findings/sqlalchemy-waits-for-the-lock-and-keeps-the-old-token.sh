#!/usr/bin/env bash
# Software: SQLAlchemy 2.0.44 with psycopg 3.2.12 (PyPI), and PostgreSQL 15 (Debian 12). Seen with SQLAlchemy 2.1.9 as well.
#
# What was run: two workers of a service keep grants in a table. Each reads the grant, sees that it has expired, locks the row
# with `SELECT ... FOR UPDATE`, looks again, and refreshes what it sees. The second one waits for the lock until the first has
# stored the new pair. Five ways to lock a row through the ORM, each by turns.
#
# A good engineer would guess: this is what the lock is for. The statement waits, PostgreSQL returns the row as it is now, and
# the worker sees the new refresh token. That the statement was sent at all shows that the row did not come from a cache.
#
# What happens: PostgreSQL does return the new row. But while the worker holds the object that it has looked at, the session
# keeps the attributes that were loaded then: `scalars(select(...).with_for_update())`, `query(...).with_for_update()` and even
# `get(..., with_for_update=True)` wait for the lock, and hand out the old refresh token. A column that is selected in the
# same transaction is new.
#
# What follows: the second worker holds the lock and sends the spent refresh token, in the right order and alone. A server
# that detects reuse ends the grant. A test with one worker, or with a session that has not read the grant before, sees nothing.
#
# How to avoid: `session.refresh(grant, with_for_update=True)`, or the execution option `populate_existing`. Better: claim with one
# UPDATE ... RETURNING of columns, and hold no lock while the provider is asked.
set -euo pipefail
dir=$(mktemp -d); chmod 755 "$dir"; cd "$dir"
as() { setpriv --reuid nobody --regid nogroup --clear-groups "$@"; }
trap '[ ! -e server/data/postmaster.pid ] || as "$bin/pg_ctl" -D "$dir/server/data" -m immediate -w stop >/dev/null 2>&1 || true; rm -rf "$dir"' EXIT
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check SQLAlchemy==2.0.44 'psycopg[binary]==3.2.12'
apt-get download -qq postgresql-15 postgresql-client-15 libpq5 >/dev/null 2>&1 \
  || { echo "the Debian 12 packages cannot be fetched (apt-get update first)"; exit 1; }
for package in ./*.deb; do dpkg -x "$package" root; done
bin=$dir/root/usr/lib/postgresql/15/bin
export LD_LIBRARY_PATH=$dir/root/usr/lib/x86_64-linux-gnu
mkdir server; chown nobody:nogroup server
as "$bin/initdb" -D "$dir/server/data" -A trust -U app -N -L "$dir/root/usr/share/postgresql/15" >/dev/null
as "$bin/pg_ctl" -D "$dir/server/data" -o "-c listen_addresses='' -k $dir/server" -l "$dir/server/log" -w start >/dev/null
cat > workers.py <<'X'
import sys, threading, time
import sqlalchemy
from sqlalchemy import create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

class Base(DeclarativeBase):
    pass

class Grant(Base):
    __tablename__ = "grants"
    id: Mapped[int] = mapped_column(primary_key=True)
    refresh_token: Mapped[str]

def refreshed(session):
    grant = session.get(Grant, 1)
    session.refresh(grant, with_for_update=True)
    return grant

statement = select(Grant).where(Grant.id == 1).with_for_update()
ways = {
    "scalars(select)": lambda session: session.scalars(statement).one(),
    "query": lambda session: session.query(Grant).filter_by(id=1).with_for_update().one(),
    "get": lambda session: session.get(Grant, 1, with_for_update=True),
    "refresh": refreshed,
    "populate_existing": lambda session: session.scalars(statement.execution_options(populate_existing=True)).one(),
}
engine = create_engine(sys.argv[1])
Base.metadata.create_all(engine)
print("SQLAlchemy", sqlalchemy.__version__)
for name, lock in ways.items():
    with Session(engine) as session:
        session.merge(Grant(id=1, refresh_token="R1"))
        session.commit()
    with Session(engine) as first, Session(engine) as second:
        mine = first.get(Grant, 1, with_for_update=True)
        expired = second.get(Grant, 1)  # has R1
        def rotate():
            time.sleep(0.5)
            mine.refresh_token = "R2"
            first.commit()
        thread = threading.Thread(target=rotate)
        thread.start()
        begun = time.monotonic()
        seen = lock(second).refresh_token
        waited = "waited" if time.monotonic() - begun > 0.4 else "did not wait"
        column = second.execute(select(Grant.refresh_token)).scalar_one()
        thread.join()
        assert expired in second
        print(f"{name:18} {waited} for the lock, sees {seen}; the column: {column}")
X
python/bin/python workers.py "postgresql+psycopg://app@/postgres?host=$dir/server" | tee seen
for way in "scalars(select)" query get; do grep -q "^$way  *waited for the lock, sees R1; the column: R2\$" seen; done
for way in refresh populate_existing; do grep -q "^$way  *waited for the lock, sees R2; the column: R2\$" seen; done
