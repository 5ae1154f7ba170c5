"""httpx-oauth: OAuth2.refresh_token, a function of the refresh token."""

import asyncio

from httpx_oauth.oauth2 import OAuth2

from report import *

report = Report(reach="e.response.json()['error']['name']")
client = OAuth2(CLIENT_ID, CLIENT_SECRET, BASE_URL + "/login", TOKEN_URL, refresh_token_endpoint=TOKEN_URL)
held = {"access_token": ACCESS_TOKEN, "refresh_token": REFRESH_TOKEN}


async def call():
    try:
        held.update(await client.refresh_token(held["refresh_token"]))
    except Exception as e:
        report.failed(e)


asyncio.run(drive_async(call))
report.tokens(held["access_token"], held["refresh_token"])
report.print()
