"""restream.io (pyrestream): `get_access_token` with the token file. The program's addresses are fixed; the probe leads
requests for them to the loopback."""

import json
import os
import pathlib
import tempfile

folder = tempfile.TemporaryDirectory()
os.environ["RESTREAM_CONFIG_PATH"] = folder.name
os.environ["RESTREAM_CLIENT_ID"] = os.environ["CLIENT_ID"]
os.environ["RESTREAM_CLIENT_SECRET"] = os.environ["CLIENT_SECRET"]

import requests

from pyrestream.auth import get_access_token

from report import *

real = requests.Session.request


def request(self, method, url, *arguments, **named):
    return real(self, method, url.replace("https://api.restream.io", BASE_URL), *arguments, **named)


requests.Session.request = request
report = Report(reach="json.loads(e.__context__.response.text)['error']['name']")
file = pathlib.Path(folder.name, "tokens.json")
file.write_text(json.dumps({"access_token": ACCESS_TOKEN, "refresh_token": REFRESH_TOKEN, "expires_at": EXPIRES_AT}))


def call():
    try:
        requests.get(PROFILE_URL, headers={"Authorization": f"Bearer {get_access_token()}"})
    except Exception as e:
        report.failed(e)


drive(call)
held = json.loads(file.read_text())
report.tokens(held.get("access_token"), held.get("refresh_token"))
report.print()
