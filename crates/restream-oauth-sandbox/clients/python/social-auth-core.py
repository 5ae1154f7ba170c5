"""social-auth-core: `refresh_token` of a BaseOAuth2 backend, a function of the refresh token."""

from social_core.backends.oauth import BaseOAuth2
from social_core.strategy import BaseStrategy

from report import *


class Restream(BaseOAuth2):
    name = "restream"
    ACCESS_TOKEN_URL = TOKEN_URL
    AUTHORIZATION_URL = BASE_URL + "/login"


class Strategy(BaseStrategy):
    def get_setting(self, name):
        return {"SOCIAL_AUTH_RESTREAM_KEY": CLIENT_ID, "SOCIAL_AUTH_RESTREAM_SECRET": CLIENT_SECRET}[name]

    def get_request_data(self, merge=True):
        return {}

    def build_absolute_uri(self, path=None):
        return REDIRECT_URI


report = Report(reach="e.__cause__.response.json()['error']['name']")
backend = Restream(Strategy())
held = {"access_token": ACCESS_TOKEN, "refresh_token": REFRESH_TOKEN}


def call():
    try:
        held.update(backend.refresh_token(held["refresh_token"]))
    except Exception as e:
        report.failed(e, getattr(e, "code", None))


drive(call)
report.tokens(held["access_token"], held["refresh_token"])
report.print()
