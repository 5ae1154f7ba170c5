"""requests-oauthlib: OAuth2Session with `auto_refresh_url` and `token_updater`, the third example of its page
"Refreshing tokens". OAUTHLIB_INSECURE_TRANSPORT allows http on the loopback."""

import os

os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"

from requests_oauthlib import OAuth2Session

from report import *

report = Report(reach="e.error['name']")
stored = {"access_token": ACCESS_TOKEN, "refresh_token": REFRESH_TOKEN}


def token_saver(token):
    stored.update(token)


session = OAuth2Session(
    CLIENT_ID,
    token={
        "access_token": ACCESS_TOKEN,
        "refresh_token": REFRESH_TOKEN,
        "token_type": "Bearer",
        "expires_in": EXPIRES_IN,
    },
    auto_refresh_url=TOKEN_URL,
    auto_refresh_kwargs={"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET},
    token_updater=token_saver,
)


def call():
    try:
        session.get(PROFILE_URL)
    except Exception as e:
        report.failed(e, getattr(e, "error", None))


drive(call)
report.tokens(stored["access_token"], stored["refresh_token"])
report.print()
