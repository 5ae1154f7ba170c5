"""The line that a probe prints."""

import asyncio
import json
import os
import sys
import threading
import time

BASE_URL = os.environ["BASE_URL"]
CLIENT_ID = os.environ["CLIENT_ID"]
CLIENT_SECRET = os.environ["CLIENT_SECRET"]
REDIRECT_URI = os.environ["REDIRECT_URI"]
ACCESS_TOKEN = os.environ["ACCESS_TOKEN"]
REFRESH_TOKEN = os.environ["REFRESH_TOKEN"]
EXPIRES_IN = int(os.environ["EXPIRES_IN"])
EXPIRES_AT = int(time.time()) + EXPIRES_IN
TOKEN_URL = BASE_URL + "/oauth/token"
PROFILE_URL = BASE_URL + "/v2/user/profile"
SCENARIO = sys.argv[1]


class Report:
    """What the program ends with. `reach` is an expression of the error `e` that may hold the nested error's name."""

    def __init__(self, reach=None):
        self.line = dict.fromkeys(["access_token", "refresh_token", "error", "kind", "reach"]) | {"login": False}
        self.reach = reach

    def tokens(self, access_token, refresh_token):
        self.line.update(access_token=access_token, refresh_token=refresh_token)

    def failed(self, e, code=None):
        """`code` is the member of `e` that the library documents as the OAuth error code."""
        text = code if isinstance(code, str) else None if code is None else json.dumps(code)
        self.line.update(error=text, kind=type(e).__name__)
        try:
            found = eval(self.reach or "None", {"e": e, "json": json}) == "invalid_grant"
            self.line["reach"] = self.reach if found else None
        except Exception:
            self.line["reach"] = None

    def wants_a_login(self):
        """The library asked for a new login. The probe starts none."""
        self.line["login"] = True

    def print(self):
        print(json.dumps(self.line))


def drive(call):
    """Calls as the scenario asks: once, five times at once, or twice."""
    if SCENARIO == "parallel":
        threads = [threading.Thread(target=call) for _ in range(5)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        return
    call()
    if SCENARIO in ("rotate", "omitted", "unavailable"):
        time.sleep(2)
        call()


async def drive_async(call):
    """As `drive`, in one event loop."""
    if SCENARIO == "parallel":
        await asyncio.gather(*(call() for _ in range(5)))
        return
    await call()
    if SCENARIO in ("rotate", "omitted", "unavailable"):
        await asyncio.sleep(2)
        await call()
