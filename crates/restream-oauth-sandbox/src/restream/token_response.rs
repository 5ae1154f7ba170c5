//! The body of a successful token response (RFC 6749 section 5.1), in the shapes that servers send.

use crate::calendar::rfc3339;
use crate::restream::authorization_server::{Context, Issued};
use crate::restream::json::quoted;
use crate::restream::rules::{Lifetime, Shape};

/// Writes the body in the ruled shape. The documented one has the names of RFC 6749, `expires`, then the same values under
/// camelCase names.
pub(crate) fn token_response(issued: &Issued, Context { settings, rules, now }: Context<'_>) -> String {
    let access = quoted(&issued.access_token);
    let access_expires_at = now.saturating_add(settings.access_token_lifetime);
    let refresh = issued.refresh_token.as_ref().map(|refresh_token| quoted(&refresh_token.token));
    let refresh_expires_at = issued.refresh_token.as_ref().map(|refresh_token| refresh_token.expires_at);
    let scopes: Vec<_> = issued.scopes.iter().map(|scope| quoted(scope)).collect();
    let scope = quoted(&issued.scopes.join(" "));
    let bearer = || Some("\"Bearer\"".to_owned());

    let relative = |text| Some(text).filter(|_| rules.lifetime == Lifetime::Full);
    let absolute = |text| Some(text).filter(|_| rules.lifetime != Lifetime::None);
    let expires_in = relative(settings.access_token_lifetime.as_secs().to_string());
    let expires = absolute(access_expires_at.as_secs().to_string());
    let refresh_lifetime = refresh_expires_at.map(|at| at.saturating_sub(now).as_secs().to_string());

    let minimal = [
        ("access_token", Some(access.clone())),
        ("token_type", bearer()),
        ("expires_in", expires_in.clone()),
        // One of the two only: without the lifetime, the absolute time.
        ("expires", expires.clone().filter(|_| expires_in.is_none())),
        ("refresh_token", refresh.clone()),
        ("scope", Some(scope.clone())),
    ];
    let snake = [
        ("access_token", Some(access.clone())),
        ("expires", expires.clone()),
        ("expires_in", expires_in.clone()),
        ("refresh_token", refresh.clone()),
        ("scope", Some(scope)),
        ("token_type", bearer()),
    ];
    let camel = [
        ("accessToken", Some(access)),
        ("accessTokenExpiresIn", expires_in),
        ("accessTokenExpiresAt", absolute(quoted(&rfc3339(access_expires_at)))),
        ("accessTokenExpiresEpoch", expires),
        ("refreshToken", refresh),
        ("refreshTokenExpiresIn", refresh_lifetime.and_then(relative)),
        ("refreshTokenExpiresAt", refresh_expires_at.and_then(|at| absolute(quoted(&rfc3339(at))))),
        ("refreshTokenExpiresEpoch", refresh_expires_at.and_then(|at| absolute(at.as_secs().to_string()))),
        ("scopeJson", Some(format!("[{}]", scopes.join(",")))),
        ("tokenType", bearer()),
    ];
    match rules.shape {
        Shape::Documented => object(snake.into_iter().chain(camel)),
        Shape::Snake => object(snake),
        Shape::Camel => object(camel),
        Shape::Minimal => object(minimal),
    }
}

fn object<'name>(members: impl IntoIterator<Item = (&'name str, Option<String>)>) -> String {
    let members = members.into_iter().filter_map(|(name, value)| Some(format!("\"{name}\":{}", value?)));
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}
