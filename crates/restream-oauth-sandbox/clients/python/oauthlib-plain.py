"""oauthlib: WebApplicationClient writes the request and reads the answer. The program sends it, here with urllib."""

import os

os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"

import urllib.error
import urllib.request

from oauthlib.oauth2 import WebApplicationClient

from report import *

report = Report(reach="e.error['name']")
client = WebApplicationClient(CLIENT_ID, refresh_token=REFRESH_TOKEN)


def call():
    url, headers, body = client.prepare_refresh_token_request(
        TOKEN_URL, refresh_token=client.refresh_token, client_id=CLIENT_ID, client_secret=CLIENT_SECRET
    )
    request = urllib.request.Request(url, body.encode(), headers, method="POST")
    try:
        try:
            with urllib.request.urlopen(request) as response:
                text = response.read().decode()
        except urllib.error.HTTPError as error:
            text = error.read().decode()
        client.parse_request_body_response(text)
    except Exception as e:
        report.failed(e, getattr(e, "error", None))


drive(call)
report.tokens(client.access_token or ACCESS_TOKEN, client.refresh_token)
report.print()
