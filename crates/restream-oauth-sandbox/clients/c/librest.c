/* librest: a RestOAuth2Proxy with a stored pair, and its refresh. It does not refresh alone: a call with an expired
 * token is an error, and the program refreshes. */

#include <rest/rest.h>
#include <stdio.h>

static const char *kind, *message = "";

static void note(const char *what, GError *error)
{
	kind = what;
	if (error)
		message = g_strescape(error->message, NULL);
}

static void call(RestOAuth2Proxy *proxy)
{
	g_autoptr(GDateTime) now = g_date_time_new_now_local();
	GDateTime *ends = rest_oauth2_proxy_get_expiration_date(proxy);
	GError *error = NULL;

	if (ends && g_date_time_compare(ends, now) <= 0) {
		g_autofree char *before = g_strdup(rest_oauth2_proxy_get_access_token(proxy));
		if (!rest_oauth2_proxy_refresh_access_token(proxy, &error)) {
			note("FALSE from rest_oauth2_proxy_refresh_access_token", error);
			return;
		}
		if (g_strcmp0(before, rest_oauth2_proxy_get_access_token(proxy)) == 0) {
			note("TRUE from rest_oauth2_proxy_refresh_access_token, and the old token", NULL);
			return;
		}
	}
	g_autoptr(RestProxyCall) request = rest_proxy_new_call(REST_PROXY(proxy));
	rest_proxy_call_set_function(request, "v2/user/profile");
	if (!rest_proxy_call_sync(request, &error))
		note("FALSE from rest_proxy_call_sync", error);
}

int main(int count, char **arguments)
{
	const char *scenario = arguments[1], *base = g_getenv("BASE_URL");
	g_autofree char *login = g_strconcat(base, "/login", NULL), *token = g_strconcat(base, "/oauth/token", NULL);
	g_autoptr(GDateTime) now = g_date_time_new_now_local();
	RestOAuth2Proxy *proxy = rest_oauth2_proxy_new(login, token, g_getenv("REDIRECT_URI"), g_getenv("CLIENT_ID"),
		g_getenv("CLIENT_SECRET"), base);

	rest_oauth2_proxy_set_access_token(proxy, g_getenv("ACCESS_TOKEN"));
	rest_oauth2_proxy_set_refresh_token(proxy, g_getenv("REFRESH_TOKEN"));
	rest_oauth2_proxy_set_expiration_date(proxy, g_date_time_add_seconds(now, atoi(g_getenv("EXPIRES_IN"))));
	call(proxy);
	if (!strcmp(scenario, "rotate") || !strcmp(scenario, "omitted") || !strcmp(scenario, "unavailable")) {
		g_usleep(2 * G_USEC_PER_SEC);
		call(proxy);
	}
	const char *access = rest_oauth2_proxy_get_access_token(proxy), *refresh = rest_oauth2_proxy_get_refresh_token(proxy);
	printf("{\"access_token\":\"%s\",\"refresh_token\":\"%s\",\"error\":null,\"kind\":", access ? access : "",
		refresh ? refresh : "");
	kind ? printf("\"%s%s%s\"", kind, *message ? ": " : "", message) : printf("null");
	printf(",\"reach\":null}\n");
}
