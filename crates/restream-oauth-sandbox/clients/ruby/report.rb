# The line that a probe prints, and the order of its calls.

require "json"

BASE_URL, REDIRECT_URI = ENV.values_at("BASE_URL", "REDIRECT_URI")
CLIENT_ID, CLIENT_SECRET = ENV.values_at("CLIENT_ID", "CLIENT_SECRET")
ACCESS_TOKEN, REFRESH_TOKEN = ENV.values_at("ACCESS_TOKEN", "REFRESH_TOKEN")
EXPIRES_AT = Time.now.to_i + ENV["EXPIRES_IN"].to_i
SCENARIO = ARGV[0]

class Report
  # `code` reads the member of an error that the library documents as the OAuth error code, or nil. `reach` is an
  # expression of the error `e` that may hold the nested error's name.
  def initialize(code: ->(_) {}, reach: nil)
    @code, @reach = code, reach
    @line = { access_token: nil, refresh_token: nil, error: nil, kind: nil, reach: nil }
  end

  # Makes the calls of the scenario.
  def calls
    yield_or_note { yield }
    return unless %w[rotate omitted unavailable].include?(SCENARIO)
    sleep 2
    yield_or_note { yield }
  end

  def print(access_token, refresh_token)
    puts @line.merge(access_token: access_token, refresh_token: refresh_token).to_json
  end

  private

  def yield_or_note
    yield
  rescue StandardError => e
    code = @code.call(e)
    @line.update(error: code.is_a?(Hash) ? code.to_json : code&.to_s, kind: e.class.name)
    name = begin
      eval(@reach) if @reach
    rescue StandardError
      nil
    end
    @line[:reach] = @reach if name == "invalid_grant"
  end
end
