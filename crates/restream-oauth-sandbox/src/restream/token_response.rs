//! The body of a successful token response (RFC 6749 section 5.1), as Restream documents it.

use std::time::Duration;

use crate::calendar::rfc3339;
use crate::restream::authorization_server::Issued;
use crate::restream::json::quoted;
use crate::restream::settings::Settings;

/// The documented body: the names of RFC 6749, `expires`, then the same values under camelCase names.
pub(crate) fn success_body(issued: &Issued, settings: &Settings, now: Duration) -> String {
    let access_expires = now.saturating_add(settings.access_token_lifetime);
    let refresh_expires = now.saturating_add(settings.refresh_token_lifetime);
    let scope_json: Vec<_> = issued.scopes.iter().map(|scope| quoted(scope)).collect();
    format!(
        concat!(
            r#"{{"access_token":{access},"expires":{access_epoch},"expires_in":{access_in},"#,
            r#""refresh_token":{refresh},"scope":{scope},"token_type":"Bearer","#,
            r#""accessToken":{access},"accessTokenExpiresIn":{access_in},"#,
            r#""accessTokenExpiresAt":"{access_at}","accessTokenExpiresEpoch":{access_epoch},"#,
            r#""refreshToken":{refresh},"refreshTokenExpiresIn":{refresh_in},"#,
            r#""refreshTokenExpiresAt":"{refresh_at}","refreshTokenExpiresEpoch":{refresh_epoch},"#,
            r#""scopeJson":[{scope_json}],"tokenType":"Bearer"}}"#,
        ),
        access = quoted(&issued.access_token),
        access_in = settings.access_token_lifetime.as_secs(),
        access_at = rfc3339(access_expires),
        access_epoch = access_expires.as_secs(),
        refresh = quoted(&issued.refresh_token),
        refresh_in = settings.refresh_token_lifetime.as_secs(),
        refresh_at = rfc3339(refresh_expires),
        refresh_epoch = refresh_expires.as_secs(),
        scope = quoted(&issued.scopes.join(" ")),
        scope_json = scope_json.join(","),
    )
}
