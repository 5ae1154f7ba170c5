#!/usr/bin/env bash
# django-oauth-toolkit: a refresh within the grace period can answer 200 with an access token that has expired.
#
# Software (PyPI): django-oauth-toolkit 3.4.1 on Django 5.2.19.
# What is run: the server's own token endpoint and its own protected_resource check. Access tokens live 6 s and
#   REFRESH_TOKEN_GRACE_PERIOD_SECONDS is 30 (small values, so that the script is short).
#   A client refreshes with R0 and loses the answer. It asks again with R0 at once, again after the new access
#   token's life, and once more after the successor R1 was used.
# What a good engineer would guess: within the grace period the old refresh token still works; the answer holds a
#   usable access token, and expires_in says how long it is good for.
# What happens: the repeat hands back the SAME two tokens as the lost answer, but expires_in is always the full
#   lifetime, counted from now and not from the token's issue. After the token's life the answer is still
#   200, expires_in 6, for a token that the server itself refuses with 403. Asking with R0 once
#   more gives the same. And the grace period has a second end: once R1 was used, R0 is invalid_grant at once.
# What follows: a client that trusts expires_in calls with a dead or dying token; a client that "refreshes on
#   refusal" with its old refresh token goes round in a circle. Two workers with R0 are safe only as long as neither goes on to R1.
# How to avoid it: a client that had to repeat a refresh should not trust expires_in; if the first call with the
#   new access token is refused, it should refresh with the NEW refresh token. On the server, keep the grace
#   period far below the access token's lifetime.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"; python3 -m venv v
v/bin/pip -q --disable-pip-version-check install django-oauth-toolkit==3.4.1 django==5.2.19
cat > probe.py <<'X'
import datetime as dt, time
import django
from django.conf import settings
settings.configure(SECRET_KEY="x" * 50, ALLOWED_HOSTS=["*"], USE_TZ=True, ROOT_URLCONF=__name__, MIDDLEWARE=[],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField", DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db"}},
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "oauth2_provider"],
    OAUTH2_PROVIDER={"ACCESS_TOKEN_EXPIRE_SECONDS": 6, "REFRESH_TOKEN_GRACE_PERIOD_SECONDS": 30})
django.setup()
from django.contrib.auth.models import User
from django.core.management import call_command
from django.http import HttpResponse
from django.test import Client
from django.urls import include, path
from django.utils import timezone
from oauth2_provider.decorators import protected_resource
from oauth2_provider.models import AccessToken, Application, RefreshToken
@protected_resource(scopes=["read"])
def resource(request): return HttpResponse("ok")
urlpatterns = [path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")), path("resource", resource)]
call_command("migrate", verbosity=0)
user = User.objects.create(username="u")
app = Application.objects.create(client_id="c", client_secret="s", client_type="confidential",
    authorization_grant_type="authorization-code", redirect_uris="http://localhost/", user=user)
access = AccessToken.objects.create(user=user, application=app, token="A0", scope="read", expires=timezone.now() + dt.timedelta(seconds=6))
RefreshToken.objects.create(user=user, application=app, token="R0", access_token=access)
http = Client(); names = {}
def show(token): return names.setdefault(token, f"#{len(names) + 1}") if token else None
def refresh(label, token):
    r = http.post("/o/token/", {"grant_type": "refresh_token", "refresh_token": token, "client_id": "c", "client_secret": "s"}); body = r.json()
    line = f"{label}: {r.status_code}"
    if r.status_code == 200:
        used = http.get("/resource", headers={"authorization": "Bearer " + body["access_token"]}).status_code
        line += f" access token {show(body['access_token'])}, expires_in {body['expires_in']}, refresh token {show(body['refresh_token'])}; a call with it: {used}"
    else: line += " " + body["error"]
    print(line, flush=True); return body
first = refresh("R0", "R0")
time.sleep(1); refresh("R0 after 1 s", "R0")
time.sleep(6); refresh("R0 after 7 s", "R0"); refresh("R0 once more", "R0")
refresh("R1", first["refresh_token"]); refresh("R0 when R1 was used", "R0")
X
echo "guess: a repeat within the 30 s of grace gives a usable access token and a true expires_in"
echo "version: django-oauth-toolkit $(v/bin/pip --disable-pip-version-check show django-oauth-toolkit | sed -n 's/^Version: //p'), Django 5.2.19"
timeout 100 v/bin/python probe.py 2>err > out || { cat out; tail -3 err; echo "the probe failed"; exit 1; }
sed 's/^/  /' out
cat > want <<'X'
R0: 200 access token #1, expires_in 6, refresh token #2; a call with it: 200
R0 after 1 s: 200 access token #1, expires_in 6, refresh token #2; a call with it: 200
R0 after 7 s: 200 access token #1, expires_in 6, refresh token #2; a call with it: 403
R0 once more: 200 access token #1, expires_in 6, refresh token #2; a call with it: 403
R1: 200 access token #3, expires_in 6, refresh token #4; a call with it: 200
R0 when R1 was used: 400 invalid_grant
X
diff want out >/dev/null || { echo "CHANGED: the behaviour is no longer seen; it was:"; cat want; exit 1; }
echo "SEEN: the grace period repeats the lost tokens with a fresh expires_in, even when the access token is dead"
