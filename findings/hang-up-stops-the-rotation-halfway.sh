#!/usr/bin/env bash
# A client that hangs up stops an async handler halfway in three Python frameworks; in five others it does not.
#
# Software (PyPI): Quart 0.22.0, Django 5.2.19 (async view), Sanic 25.12.1; contrast: Starlette 1.10.0,
#   FastAPI 0.165.0, Falcon 4.4.0, aiohttp 3.14.5, Tornado 6.6.1. Served by uvicorn 0.54.0 and
#   Hypercorn 0.18.0 where the framework has no server of its own.
# What is run: the same token endpoint in each. It notes "revoked", waits 1 s (a slow database), notes "saved".
#   A client posts a refresh and closes its connection after 0.4 s: a closed tab, or a client's
#   timeout.
# What a good engineer would guess: the handler runs to its end, and the answer is thrown away. FastAPI
#   works like that, and the choice of ASGI server might matter, not that of the framework.
# What happens: in Quart, Django and Sanic the await in the middle raises CancelledError. "saved" never comes:
#   the old refresh token is revoked, and no new one exists. The ASGI server makes no difference; the framework does.
# What follows: a short client timeout logs users out for good. The server has no error status in its log, and a
#   test client that waits for its answer never sees it. Moving a handler from FastAPI to Quart changes this.
# How to avoid it: revoke and save in ONE transaction that ends with the commit; or run the rotation in a task of
#   its own and await asyncio.shield(task).
set -euo pipefail
T=$(mktemp -d); PID=; trap '[ -z "$PID" ] || kill -KILL "$PID" 2>/dev/null || true; rm -rf "$T"' EXIT
cd "$T"; python3 -m venv v
v/bin/pip -q --disable-pip-version-check install quart==0.22.0 django==5.2.19 sanic==25.12.1 starlette==1.10.0 fastapi==0.165.0 \
  falcon==4.4.0 aiohttp==3.14.5 tornado==6.6.1 uvicorn==0.54.0 hypercorn==0.18.0
cat > apps.py <<'X'
import asyncio, os
def note(word):
    with open("steps", "a") as f: f.write(word + " ")
async def rotate():
    note("revoked")
    try: await asyncio.sleep(1)
    except asyncio.CancelledError: note("CANCELLED"); raise
    note("saved")
    return {"access_token": "A1"}
kind, port = os.environ["KIND"], int(os.environ["PORT"]); app = None
if kind == "quart":
    from quart import Quart
    app = Quart(__name__); app.post("/token")(rotate)
elif kind == "django":
    import django; from django.conf import settings
    settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF="apps", SECRET_KEY="x", MIDDLEWARE=[]); django.setup()
    from django.core.asgi import get_asgi_application; from django.http import JsonResponse; from django.urls import path
    async def token(request): return JsonResponse(await rotate())
    urlpatterns = [path("token", token)]; app = get_asgi_application()
elif kind == "starlette":
    from starlette.applications import Starlette; from starlette.responses import JSONResponse; from starlette.routing import Route
    async def token(request): return JSONResponse(await rotate())
    app = Starlette(routes=[Route("/token", token, methods=["POST"])])
elif kind == "fastapi":
    from fastapi import FastAPI
    app = FastAPI(); app.post("/token")(rotate)
elif kind == "falcon":
    import falcon.asgi
    class Token:
        async def on_post(self, request, response): response.media = await rotate()
    app = falcon.asgi.App(); app.add_route("/token", Token())
elif kind == "sanic" and __name__ == "__main__":
    from sanic import Sanic, json
    app = Sanic("probe")
    @app.post("/token")
    async def token(request): return json(await rotate())
    app.run("127.0.0.1", port, single_process=True, motd=False)
elif kind == "aiohttp":
    from aiohttp import web
    async def token(request): return web.json_response(await rotate())
    app = web.Application(); app.router.add_post("/token", token); web.run_app(app, host="127.0.0.1", port=port, print=None)
elif kind == "tornado":
    import tornado.web
    class Token(tornado.web.RequestHandler):
        async def post(self): self.write(await rotate())
    async def main(): tornado.web.Application([("/token", Token)]).listen(port, "127.0.0.1"); await asyncio.Event().wait()
    asyncio.run(main())
X
cat > leave.py <<'X'
import socket, sys, time
for _ in range(100):
    try: s = socket.create_connection(("127.0.0.1", int(sys.argv[1]))); break
    except OSError: time.sleep(0.1)
s.sendall(b"POST /token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 24\r\n\r\ngrant_type=refresh_token")
time.sleep(float(sys.argv[2])); s.close()
X
bad=0
run() { # expected steps after a hang-up, framework, server
  local want=$1 seen whole; export KIND=$2
  export PORT; PORT=$(python3 -c 'import socket; s=socket.socket(); s.bind(("127.0.0.1",0)); print(s.getsockname()[1])')
  case $3 in
    uvicorn) v/bin/uvicorn apps:app --port "$PORT" >log 2>&1 & ;;
    hypercorn) v/bin/hypercorn apps:app -b "127.0.0.1:$PORT" >log 2>&1 & ;;
    own) v/bin/python apps.py >log 2>&1 & ;;
  esac
  PID=$!; rm -f steps; python3 leave.py "$PORT" 1.6; whole=$(cat steps); rm -f steps
  python3 leave.py "$PORT" 0.4; sleep 1.3; seen=$(cat steps); kill -KILL "$PID"; wait "$PID" 2>/dev/null || true; PID=
  echo "  $2 ($3): a patient client: $whole| a client that leaves: $seen"
  [ "$whole" = "revoked saved " ] && [ "$seen" = "$want" ] || { echo "    expected by this script: $want"; bad=1; tail -3 log; }
}
echo "guess: every handler runs to its end: revoked saved"
for f in quart django; do for s in uvicorn hypercorn; do run "revoked CANCELLED " $f $s; done; done
run "revoked CANCELLED " sanic own
for f in starlette fastapi falcon; do run "revoked saved " $f uvicorn; done
run "revoked saved " fastapi hypercorn
for f in aiohttp tornado; do run "revoked saved " $f own; done
[ $bad = 0 ] || { echo "CHANGED: the behaviour is no longer seen"; exit 1; }
echo "SEEN: Quart, Django and Sanic stop the rotation between revoke and save; the five others do not"
