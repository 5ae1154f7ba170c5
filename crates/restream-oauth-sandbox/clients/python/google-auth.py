"""google-auth: google.oauth2.credentials.Credentials with another `token_uri`, and AuthorizedSession."""

import datetime

import google.oauth2.credentials
from google.auth.transport.requests import AuthorizedSession

from report import *

report = Report(reach="e.args[1]['error']['name']")
credentials = google.oauth2.credentials.Credentials(
    ACCESS_TOKEN,
    refresh_token=REFRESH_TOKEN,
    token_uri=TOKEN_URL,
    client_id=CLIENT_ID,
    client_secret=CLIENT_SECRET,
    expiry=datetime.datetime.fromtimestamp(EXPIRES_AT, datetime.timezone.utc).replace(tzinfo=None),
)
session = AuthorizedSession(credentials)


def call():
    try:
        session.get(PROFILE_URL)
    except Exception as e:
        # RefreshError has no documented code. Its first argument is the text that is printed.
        report.failed(e, e.args[0] if e.args and isinstance(e.args[0], str) and len(e.args[0]) < 40 else None)


drive(call)
report.tokens(credentials.token, credentials.refresh_token)
report.print()
