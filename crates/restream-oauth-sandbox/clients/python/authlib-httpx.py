"""Authlib: AsyncOAuth2Client with `update_token`, as its documentation shows under "Auto Update Token"."""

import asyncio

from authlib.integrations.httpx_client import AsyncOAuth2Client

from report import *

report = Report(reach="e.error['name']")
stored = {}


async def update_token(token, refresh_token=None, access_token=None):
    stored.update(token)


async def main():
    token = {
        "access_token": ACCESS_TOKEN,
        "refresh_token": REFRESH_TOKEN,
        "token_type": "Bearer",
        "expires_at": EXPIRES_AT,
    }
    async with AsyncOAuth2Client(
        CLIENT_ID, CLIENT_SECRET, token_endpoint=TOKEN_URL, token=token, update_token=update_token
    ) as client:

        async def call():
            try:
                await client.get(PROFILE_URL)
            except Exception as e:
                report.failed(e, getattr(e, "error", None))

        await drive_async(call)
        report.tokens(client.token.get("access_token"), client.token.get("refresh_token"))


asyncio.run(main())
report.print()
