"""spotipy: Spotify with SpotifyOAuth and a cache in memory. Its addresses are attributes, which the probe sets."""

import spotipy
from spotipy.cache_handler import MemoryCacheHandler
from spotipy.oauth2 import SpotifyOAuth

from report import *

SpotifyOAuth.OAUTH_TOKEN_URL = TOKEN_URL
report = Report(reach="e.error['name']")
SCOPE = "profile.read"
token = {
    "access_token": ACCESS_TOKEN,
    "refresh_token": REFRESH_TOKEN,
    "token_type": "Bearer",
    "expires_at": EXPIRES_AT,
    "scope": SCOPE,
}
cache = MemoryCacheHandler(token)
manager = SpotifyOAuth(CLIENT_ID, CLIENT_SECRET, REDIRECT_URI, scope=SCOPE, cache_handler=cache, open_browser=False)
spotify = spotipy.Spotify(auth_manager=manager)
spotify.prefix = BASE_URL + "/v2/"


def call():
    try:
        spotify._get("user/profile")
    except Exception as e:
        report.failed(e, getattr(e, "error", None))


drive(call)
held = cache.get_cached_token()
report.tokens(held["access_token"], held["refresh_token"])
report.print()
