# httr: an OAuth 2.0 token with stored credentials, and requests with it, as its help page shows.

library(httr)
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)))
source(file.path(here, "report.R"))

endpoint <- oauth_endpoint(authorize = paste0(base_url, "/login"), access = paste0(base_url, "/oauth/token"))
app <- oauth_app("restream", key = Sys.getenv("CLIENT_ID"), secret = Sys.getenv("CLIENT_SECRET"))
token <- oauth2.0_token(endpoint, app, credentials = list(
  access_token = Sys.getenv("ACCESS_TOKEN"), refresh_token = Sys.getenv("REFRESH_TOKEN"), token_type = "Bearer"))
# The library refreshes after an answer of 401, and reads no time.
call <- function() {
  if (scenario == "rotate" || scenario == "omitted") Sys.sleep(1.5) else token$refresh()
  GET(paste0(base_url, "/v2/user/profile"), config(token = token))
}
calls(call)
report(token$credentials$access_token, token$credentials$refresh_token)
