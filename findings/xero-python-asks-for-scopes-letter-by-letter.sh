#!/usr/bin/env bash
# Software: xero-python 15.2.0 (PyPI), Python 3.11.
#
# What was run: a saved token in the form in which the token endpoint sent it, so `scope` is a text with spaces (RFC 6749 section 5.1),
# and two calls of `refresh_oauth2_token`. In the place of the network is a function that rotates.
#
# A good engineer would guess: `scope` goes out as it came in; or a text is refused, since the documentation shows a list.
#
# What happens: a text is accepted, and the first refresh asks for the scopes "o f f l i n e _ a c c e s s ...": each letter, each
# space and each dot is a scope of its own. What the refresh brings is saved with a list, so the second refresh asks for the right ones.
#
# What follows: a server that judges `scope` in a refresh (RFC 6749 section 6: nothing that was not granted before) answers
# `invalid_scope`, and the login never gets over its first hour. One that ignores it hides the mistake. One that grants what it knows
# of a request takes away every scope. A test that refreshes twice sees a mistake in the first refresh only, and never again for the same user.
#
# How to avoid: split `scope` before the token is handed over: `token["scope"] = token["scope"].split()`.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check --cache-dir "$dir/pip" xero-python==15.2.0
cat > refresh.py <<'X'
import json
from types import SimpleNamespace
from xero_python.api_client import ApiClient
from xero_python.api_client.configuration import Configuration
from xero_python.api_client.oauth2 import OAuth2Token

def response(number):
    return {"access_token": f"A{number}", "refresh_token": f"R{number}", "scope": "offline_access files", "token_type": "Bearer", "expires_in": 1800}

saved = response(1)
client = ApiClient(Configuration(oauth2_token=OAuth2Token(client_id="id", client_secret="secret")))

@client.oauth2_token_getter
def load(): return saved

@client.oauth2_token_saver
def save(token):
    global saved
    saved = token

def post(url, post_params, **_):
    form = dict(post_params)
    print(f"{form['refresh_token']} asks for {form['scope']!r}", end="; ")
    body = json.dumps(response(int(form["refresh_token"][1]) + 1)).encode()
    return SimpleNamespace(status=200, reason="OK", data=body, getheaders=lambda: {})

client.rest_client.POST = post
for _ in range(2):
    client.refresh_oauth2_token()
    print("saved:", saved["scope"])
X
python/bin/python refresh.py | tee output
diff output - <<'X'
R1 asks for 'o f f l i n e _ a c c e s s   f i l e s'; saved: ['offline_access', 'files']
R2 asks for 'offline_access files'; saved: ['offline_access', 'files']
X
