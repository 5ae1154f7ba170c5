#!/usr/bin/env bash
# Software: filelock 4.3.1 (PyPI), Python 3.11.
#
# What was run: two tasks of one event loop refresh a grant under `async with lock:`, where `lock` is an `AsyncFileLock`: once with one
# object for both, as a client keeps it beside its token; once with an object for each, made from the same path. The token endpoint is
# a coroutine that rotates and takes a moment.
#
# A good engineer would guess: an asynchronous lock keeps out the other tasks of its loop; at least the one object does, and two
# objects of one path in one process are the doubtful case.
#
# What happens: it is the other way round. The one object counts how often it was acquired, by thread, and all tasks of a loop are one
# thread: the second task is let in at once, and both send the same refresh token. With two objects the second task waits for the first.
#
# What follows: a program that locks its token file against other processes has no lock between its own tasks, and loses its grant when
# two of them find the token expired. A test with two processes or two threads passes.
#
# How to avoid: an `asyncio.Lock` around the file lock, or a new `AsyncFileLock` for each acquisition.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check --cache-dir "$dir/pip" filelock==4.3.1
cat > refresh.py <<'X'
import asyncio
from filelock import AsyncFileLock

async def both(locks):
    server = stored = "R1"
    outcomes = []

    async def token_endpoint(sent):
        nonlocal server
        await asyncio.sleep(0.2)
        if sent != server: return None
        server = f"R{int(server[1:]) + 1}"
        return server

    async def refresh(lock):
        nonlocal stored
        async with lock:
            sent = stored
            pair = await token_endpoint(sent)
            stored = pair or stored
            outcomes.append(f"{sent} {'rotated' if pair else 'refused'}")

    await asyncio.gather(*map(refresh, locks))
    return ", ".join(outcomes)

async def main():
    one = AsyncFileLock("one.lock")
    print("one object: ", await both([one, one]))
    print("two objects:", await both([AsyncFileLock("two.lock"), AsyncFileLock("two.lock")]))

asyncio.run(main())
X
python/bin/python refresh.py | tee output
diff output - <<'X'
one object:  R1 rotated, R1 refused
two objects: R1 rotated, R2 rotated
X
