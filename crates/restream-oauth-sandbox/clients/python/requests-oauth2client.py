"""requests_oauth2client: OAuth2AccessTokenAuth, which renews its token before a request. `testing` allows http."""

import datetime

import requests
from requests_oauth2client import BearerToken, OAuth2AccessTokenAuth, OAuth2Client

from report import *

report = Report(reach="e.response.json()['error']['name']")
client = OAuth2Client(token_endpoint=TOKEN_URL, client_id=CLIENT_ID, client_secret=CLIENT_SECRET, testing=True)
expires_at = datetime.datetime.fromtimestamp(EXPIRES_AT, datetime.timezone.utc)
auth = OAuth2AccessTokenAuth(client, BearerToken(ACCESS_TOKEN, refresh_token=REFRESH_TOKEN, expires_at=expires_at))


def call():
    try:
        requests.get(PROFILE_URL, auth=auth)
    except Exception as e:
        report.failed(e, getattr(e, "error", None))


drive(call)
report.tokens(auth.token.access_token, auth.token.refresh_token)
report.print()
