# httr2: `req_oauth_refresh` with a stored refresh token, as its help page shows. The
# program holds what it had, since it sees no other token.

library(httr2)
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)))
source(file.path(here, "report.R"))

client <- oauth_client(
  Sys.getenv("CLIENT_ID"), paste0(base_url, "/oauth/token"), secret = Sys.getenv("CLIENT_SECRET"))
call <- function() {
  request(paste0(base_url, "/v2/user/profile")) |>
    req_oauth_refresh(client, refresh_token = Sys.getenv("REFRESH_TOKEN")) |>
    req_perform()
}
calls(call, function(e) e$code)
report(NULL, Sys.getenv("REFRESH_TOKEN"))
