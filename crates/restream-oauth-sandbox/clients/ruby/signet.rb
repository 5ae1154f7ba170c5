# signet: a Signet::OAuth2::Client and its `fetch_access_token!`, as the README shows. It does not refresh alone.

require "signet/oauth_2/client"
require_relative "report"

report = Report.new(reach: "JSON.parse(e.response.body)['error']['name']")
client = Signet::OAuth2::Client.new(
  authorization_uri: BASE_URL + "/login", token_credential_uri: BASE_URL + "/oauth/token", redirect_uri: REDIRECT_URI,
  client_id: CLIENT_ID, client_secret: CLIENT_SECRET,
  access_token: ACCESS_TOKEN, refresh_token: REFRESH_TOKEN, expires_at: EXPIRES_AT
)
report.calls do
  client.fetch_access_token! if client.expired?
  client.fetch_protected_resource(uri: BASE_URL + "/v2/user/profile")
end
report.print(client.access_token, client.refresh_token)
