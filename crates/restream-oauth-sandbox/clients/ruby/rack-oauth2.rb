# rack-oauth2: a Rack::OAuth2::Client and its `access_token!`, as its wiki shows. It does not refresh alone, and the
# program carries the refresh token from the answer to the client.

require "uri"
require "rack/oauth2"
require_relative "report"

report = Report.new(code: ->(e) { e.response[:error] if e.is_a?(Rack::OAuth2::Client::Error) },
                    reach: "e.response[:error][:name]")
server = URI(BASE_URL)
client = Rack::OAuth2::Client.new(
  identifier: CLIENT_ID, secret: CLIENT_SECRET, redirect_uri: REDIRECT_URI,
  scheme: server.scheme, host: server.host, port: server.port, token_endpoint: "/oauth/token"
)
token = Rack::OAuth2::AccessToken::Bearer.new(access_token: ACCESS_TOKEN, refresh_token: REFRESH_TOKEN)
ends = EXPIRES_AT
report.calls do
  if Time.now.to_i >= ends
    client.refresh_token = token.refresh_token
    token = client.access_token!
    ends = Time.now.to_i + token.expires_in
  end
  token.get(BASE_URL + "/v2/user/profile")
end
report.print(token.access_token, token.refresh_token)
