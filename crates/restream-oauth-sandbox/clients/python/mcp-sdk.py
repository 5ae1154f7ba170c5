"""mcp: OAuthClientProvider as the `auth` of httpx2, which its HTTP transport uses. The provider knows the expiry and
the server's metadata, as after a first login."""

import asyncio
import logging

import httpx2
from mcp.client.auth import OAuthClientProvider
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthMetadata, OAuthToken

from report import *

logging.disable()
report = Report()
stored = {"tokens": OAuthToken(access_token=ACCESS_TOKEN, refresh_token=REFRESH_TOKEN)}
client_info = OAuthClientInformationFull(
    client_id=CLIENT_ID,
    client_secret=CLIENT_SECRET,
    redirect_uris=[REDIRECT_URI],
    # A record of a registration has a method. Without one no secret is sent.
    token_endpoint_auth_method="client_secret_post",
)


class Storage:
    async def get_tokens(self):
        return stored["tokens"]

    async def set_tokens(self, tokens):
        stored["tokens"] = tokens

    async def get_client_info(self):
        return client_info

    async def set_client_info(self, info):
        pass


class ALoginIsWanted(Exception):
    pass


async def redirect_handler(url):
    report.wants_a_login()
    raise ALoginIsWanted


async def callback_handler():
    raise ALoginIsWanted


provider = OAuthClientProvider(
    PROFILE_URL, OAuthClientMetadata(redirect_uris=[REDIRECT_URI]), Storage(), redirect_handler, callback_handler
)
provider.context.oauth_metadata = OAuthMetadata(
    issuer=BASE_URL,
    authorization_endpoint=BASE_URL + "/login",
    token_endpoint=TOKEN_URL,
    response_types_supported=["code"],
)
provider.context.token_expiry_time = EXPIRES_AT


async def main():
    async with httpx2.AsyncClient(auth=provider) as client:

        async def call():
            try:
                await client.get(PROFILE_URL)
            except Exception as e:
                report.failed(e)

        await drive_async(call)


asyncio.run(main())
report.tokens(stored["tokens"].access_token, stored["tokens"].refresh_token)
report.print()
