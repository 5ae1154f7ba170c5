"""Authlib: OAuth2Session of requests. It has no call for discovery, and does not look at `iss`."""

import json
import os
import sys
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, HTTPServer

# This file has the name of the library, which must not be found in its own folder.
sys.path.pop(0)
from authlib.common.errors import AuthlibBaseError
from authlib.common.security import generate_token
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata, get_well_known_url
import requests

ISSUER, CLIENT_ID = os.environ["ISSUER"], os.environ["CLIENT_ID"]
REFRESHES, PAUSE_AFTER = 200, 50


def say(**line):
    print(json.dumps(line), flush=True)


class Listener(BaseHTTPRequestHandler):
    """The way back from the browser, on any port of this machine (RFC 8252 §7.3)."""

    arrived = None

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"You can close this window.")
        Listener.arrived = self.path

    def log_message(self, *_):
        pass


def redeem(back):
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(back).query)
    # RFC 9207 §2.4: the program's task, because the library does not do it.
    if query.get("iss") != [metadata["issuer"]]:
        raise ValueError("iss is not the issuer")
    return session.fetch_token(metadata["token_endpoint"], authorization_response=back, state=state,
                               code_verifier=verifier)


def refresh(handle):
    return session.refresh_token(metadata["token_endpoint"], refresh_token=handle)


def forged(back, name, value):
    parts = urllib.parse.urlsplit(back)
    query = [(known, kept) for known, kept in urllib.parse.parse_qsl(parts.query) if known != name]
    if value is not None:
        query.append((name, value))
    return parts._replace(query=urllib.parse.urlencode(query)).geturl()


metadata = AuthorizationServerMetadata(requests.get(get_well_known_url(ISSUER, external=True), timeout=60).json())
metadata.validate()
# RFC 8414 §3.3: the program's task too.
assert metadata["issuer"] == ISSUER, metadata["issuer"]

listener = HTTPServer(("127.0.0.1", 0), Listener)
redirect_uri = f"http://127.0.0.1:{listener.server_port}/callback"
session = OAuth2Session(CLIENT_ID, redirect_uri=redirect_uri, token_endpoint_auth_method="none",
                        code_challenge_method="S256")
verifier = generate_token(48)
url, state = session.create_authorization_url(metadata["authorization_endpoint"], code_verifier=verifier)
say(open=url)
while Listener.arrived is None:
    listener.handle_request()
back = redirect_uri.removesuffix("/callback") + Listener.arrived

refused = []
for name, value in [("state", "forged"), ("iss", "https://forged.example"), ("iss", None)]:
    try:
        redeem(forged(back, name, value))
        refused.append(f"{name} NOT REFUSED")
    except (AuthlibBaseError, ValueError) as error:
        # A wrong state is no OAuthError of the session.
        refused.append(f"{name}: {error.error if isinstance(error, AuthlibBaseError) else error}")
say(refused=refused)

first = dict(redeem(back))
tokens, access_tokens = first, {first["access_token"]}
for number in range(1, REFRESHES + 1):
    if number % PAUSE_AFTER == 0:
        # The token is used up.
        time.sleep(tokens["expires_in"] + 1)
    tokens = dict(refresh(tokens["refresh_token"]))
    assert tokens["refresh_token"] == first["refresh_token"], "the handle has changed"
    assert tokens["expires_in"] >= 1, tokens["expires_in"]
    access_tokens.add(tokens["access_token"])
say(refreshes=REFRESHES, access_tokens=len(access_tokens), alive=tokens["access_token"])
while sys.stdin.readline() == "again\n":
    tokens = dict(refresh(tokens["refresh_token"]))
    say(alive=tokens["access_token"])

answer = session.revoke_token(metadata["revocation_endpoint"], token=tokens["refresh_token"],
                              token_type_hint="refresh_token")
answer.raise_for_status()
try:
    refresh(tokens["refresh_token"])
    say(after_revocation="a token")
except OAuthError as error:
    say(after_revocation=error.error)
