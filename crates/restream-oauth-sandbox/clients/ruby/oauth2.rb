# oauth2: an AccessToken and its `refresh!`, as the README shows under "OAuth2::AccessToken". It does not refresh alone.

require "oauth2"
require_relative "report"

report = Report.new(code: ->(e) { e.code if e.is_a?(OAuth2::Error) }, reach: "e.code['name']")
client = OAuth2::Client.new(CLIENT_ID, CLIENT_SECRET,
                            site: BASE_URL, authorize_url: "/login", token_url: "/oauth/token")
token = OAuth2::AccessToken.new(client, ACCESS_TOKEN, refresh_token: REFRESH_TOKEN, expires_at: EXPIRES_AT)
report.calls do
  token = token.refresh! if token.expired?
  token.get("/v2/user/profile")
end
report.print(token.token, token.refresh_token)
