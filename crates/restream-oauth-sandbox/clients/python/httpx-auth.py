"""httpx_auth: OAuth2AuthorizationCode with its token cache. A missing token starts a login: the probe's browser opens
nothing, and the wait for the user is shortened to one second."""

import os

os.environ["BROWSER"] = "true"

import httpx
from httpx_auth import OAuth2, OAuth2AuthorizationCode, TimeoutOccurred

from report import *

report = Report()
auth = OAuth2AuthorizationCode(
    BASE_URL + "/login", TOKEN_URL, client_id=CLIENT_ID, client_secret=CLIENT_SECRET, timeout=1
)
OAuth2.token_cache._add_access_token(auth.state, ACCESS_TOKEN, EXPIRES_IN, REFRESH_TOKEN)


def call():
    try:
        with httpx.Client() as client:
            client.get(PROFILE_URL, auth=auth)
    except Exception as e:
        report.failed(e)
        if isinstance(e, TimeoutOccurred):
            report.wants_a_login()


drive(call)
token = OAuth2.token_cache.tokens.get(auth.state, [None, None, None])
report.tokens(token[0], token[2] if len(token) > 2 else None)
report.print()
