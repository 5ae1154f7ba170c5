/* iddawc: a session with a stored pair, and a request that refreshes if the token is old, as its manual shows under
 * "i_perform_resource_service_request". */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <iddawc.h>

static char kind[64] = "null", code[64] = "null";

static void call(struct _i_session *session, const char *base)
{
	char url[256];
	struct _u_request request;
	struct _u_response response;

	snprintf(url, sizeof url, "%s/v2/user/profile", base);
	ulfius_init_request(&request);
	ulfius_init_response(&response);
	ulfius_set_request_properties(&request, U_OPT_HTTP_VERB, "GET", U_OPT_HTTP_URL, url, U_OPT_NONE);
	int result = i_perform_resource_service_request(session, &request, &response, 1, I_BEARER_TYPE_HEADER, 0, 0);
	if (result != I_OK) {
		const char *error = i_get_str_parameter(session, I_OPT_ERROR);
		snprintf(kind, sizeof kind, "\"the result %d\"", result);
		if (error)
			snprintf(code, sizeof code, "\"%s\"", error);
	}
	ulfius_clean_request(&request);
	ulfius_clean_response(&response);
}

int main(int count, char **arguments)
{
	const char *scenario = arguments[1], *base = getenv("BASE_URL");
	char token[256];
	struct _i_session session;

	snprintf(token, sizeof token, "%s/oauth/token", base);
	i_global_init();
	i_init_session(&session);
	i_set_parameter_list(&session, I_OPT_CLIENT_ID, getenv("CLIENT_ID"), I_OPT_CLIENT_SECRET, getenv("CLIENT_SECRET"),
		I_OPT_REDIRECT_URI, getenv("REDIRECT_URI"), I_OPT_TOKEN_ENDPOINT, token,
		I_OPT_ACCESS_TOKEN, getenv("ACCESS_TOKEN"), I_OPT_REFRESH_TOKEN, getenv("REFRESH_TOKEN"),
		/* Without this option no secret is sent. */
		I_OPT_TOKEN_METHOD, strcmp(scenario, "credentials") ? I_TOKEN_AUTH_METHOD_SECRET_BASIC : I_TOKEN_AUTH_METHOD_NONE,
		I_OPT_EXPIRES_AT, (unsigned int)(time(NULL) + atoi(getenv("EXPIRES_IN"))), I_OPT_NONE);
	call(&session, base);
	if (!strcmp(scenario, "rotate") || !strcmp(scenario, "omitted") || !strcmp(scenario, "unavailable")) {
		sleep(2);
		call(&session, base);
	}
	const char *access = i_get_str_parameter(&session, I_OPT_ACCESS_TOKEN);
	const char *refresh = i_get_str_parameter(&session, I_OPT_REFRESH_TOKEN);
	printf("{\"access_token\":\"%s\",\"refresh_token\":\"%s\",\"error\":%s,\"kind\":%s,\"reach\":null}\n",
		access ? access : "", refresh ? refresh : "", code, kind);
	i_clean_session(&session);
	i_global_close();
}
