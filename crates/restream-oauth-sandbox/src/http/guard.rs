//! Who may use what is under `/_sandbox/`: programs and pages of this machine, but no page of another site.
//!
//! A request whose `Host` is a name and not an address gets an error, because DNS rebinding can make any name point to
//! this server. So does a request that a page of another site causes: browsers name that page in `Origin` or, where they
//! leave `Origin` out, say so in `Sec-Fetch-Site`.

use std::net::IpAddr;

use crate::http::request::Head;
use crate::http::state::State;
use crate::restream::error_response::ErrorResponse;

/// The path of the page that other sites may link to.
const PAGE: &str = "/_sandbox/";

/// Fails unless this request may use the remote control.
pub(crate) fn check(state: &State, head: &Head) -> Result<(), ErrorResponse> {
    if !host_is_literal(state, head) {
        let message = format!("`Host` must be a loopback address and the port: use {}{PAGE}", state.base_url);
        return Err(ErrorResponse::invalid_request(message).with_status(421));
    }
    // A link may lead to the page. It shows nothing to the site that links to it, and changes nothing.
    let is_link = || (head.method(), head.path()) == ("GET", PAGE) && head.header("sec-fetch-mode") == Some("navigate");
    let allowed = match (head.header("origin"), head.header("sec-fetch-site")) {
        (Some(origin), _) => is_loopback_origin(origin) || is_own_origin(state, head, origin),
        (None, Some("cross-site")) => is_link(),
        (None, _) => true,
    };
    if allowed { Ok(()) } else { Err(foreign()) }
}

/// Fails if a page other than the sandbox's own sends this form. Browsers send `Origin` with every posted form.
pub(crate) fn check_form(state: &State, head: &Head) -> Result<(), ErrorResponse> {
    let from_own = head.header("origin").is_none_or(|origin| is_own_origin(state, head, origin))
        && head.header("sec-fetch-site").is_none_or(|site| matches!(site, "same-origin" | "none"));
    if from_own { Ok(()) } else { Err(foreign()) }
}

/// Whether this is the origin of the sandbox's own pages, under the address that the browser uses.
fn is_own_origin(state: &State, head: &Head, origin: &str) -> bool {
    let scheme = state.base_url.split_once("://").map(|(scheme, _)| scheme);
    origin.split_once("://") == scheme.zip(head.header("host"))
}

fn foreign() -> ErrorResponse {
    ErrorResponse::invalid_request("Not for pages of other origins").with_status(403)
}

fn host_is_literal(state: &State, head: &Head) -> bool {
    let Some(host) = head.header("host") else {
        return false;
    };
    // Some clients leave the port out. An IPv6 address without a port ends with its bracket.
    let (host, right_port) = match host.rsplit_once(':').filter(|_| !host.ends_with(']')) {
        Some((host, port)) => (host, port.parse() == Ok(state.port)),
        None => (host, true),
    };
    // DNS rebinding needs a name. Addresses other than loopback are fine if other machines may connect.
    right_port && literal(host).is_some_and(|address| address.is_loopback() || state.public)
}

fn is_loopback_origin(origin: &str) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else {
        return false;
    };
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    matches!(scheme, "http" | "https")
        && (host == "localhost" || literal(host).is_some_and(|address| address.is_loopback()))
}

/// Reads an IPv4 address, or an IPv6 address in brackets.
fn literal(host: &str) -> Option<IpAddr> {
    match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?.parse().ok().map(IpAddr::V6),
        None => host.parse().ok().map(IpAddr::V4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_of_loopback_origins_may_use_the_remote_control() {
        for origin in ["http://127.0.0.1:3000", "http://localhost:5173", "http://[::1]:1", "https://127.0.0.1"] {
            assert!(is_loopback_origin(origin), "{origin}");
        }
        for origin in [
            "null",
            "https://evil.example",
            "http://127.0.0.1.evil.example",
            "http://localhost.evil:80",
            "http://127.1",
            "http://[::1",
            "file://",
            "http://192.168.0.1",
        ] {
            assert!(!is_loopback_origin(origin), "{origin}");
        }
    }
}
