"""oauth2client, which google-auth has replaced: OAuth2Credentials with another `token_uri`."""

import datetime

import httplib2
from oauth2client.client import OAuth2Credentials

from report import *

report = Report(reach="e.args[0]['name']")
expiry = datetime.datetime.fromtimestamp(EXPIRES_AT, datetime.timezone.utc).replace(tzinfo=None)
credentials = OAuth2Credentials(ACCESS_TOKEN, CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN, expiry, TOKEN_URL, "probe")


def call():
    http = httplib2.Http()
    try:
        token = credentials.get_access_token(http).access_token
        http.request(PROFILE_URL, headers={"Authorization": f"Bearer {token}"})
    except Exception as e:
        report.failed(e, e.args[0] if e.args and isinstance(e.args[0], (str, dict)) else None)


drive(call)
report.tokens(credentials.access_token, credentials.refresh_token)
report.print()
