"""Authlib: OAuth2Session with `update_token`, as its documentation shows under "Auto Update Token"."""

from authlib.integrations.requests_client import OAuth2Session

from report import *

report = Report(reach="e.error['name']")
stored = {}


def update_token(token, refresh_token=None, access_token=None):
    stored.update(token)


session = OAuth2Session(
    CLIENT_ID,
    CLIENT_SECRET,
    token_endpoint=TOKEN_URL,
    token={
        "access_token": ACCESS_TOKEN,
        "refresh_token": REFRESH_TOKEN,
        "token_type": "Bearer",
        "expires_at": EXPIRES_AT,
    },
    update_token=update_token,
)


def call():
    try:
        session.get(PROFILE_URL)
    except Exception as e:
        report.failed(e, getattr(e, "error", None))


drive(call)
report.tokens(session.token.get("access_token"), session.token.get("refresh_token"))
report.print()
