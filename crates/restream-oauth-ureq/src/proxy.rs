//! The proxy in the environment. ureq's own reading prefers `ALL_PROXY`, also reads `HTTP_PROXY`, and uses no proxy if
//! it cannot read the URL. This module follows the rules of `restream-oauth-hyper` instead.

use std::env;

use ureq::{Proxy, ProxyProtocol};

use crate::build_error::BuildError;

/// The first variable that is set and not empty has precedence. `HTTP_PROXY` is not read: it is for plain http, which
/// is allowed on loopback only, where no proxy is used.
const PROXY: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
const EXCEPTIONS: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// Reads the environment. Returns `None` if it names no proxy.
pub(crate) fn from_environment() -> Result<Option<Proxy>, BuildError> {
    let Some((variable, url)) = first_set(&PROXY) else { return Ok(None) };
    let exceptions = first_set(&EXCEPTIONS).map(|(_, list)| list).unwrap_or_default();
    let proxy = of(&url, &exceptions).ok_or_else(|| BuildError::unusable_proxy(variable))?;
    Ok(Some(proxy))
}

fn of(url: &str, exceptions: &str) -> Option<Proxy> {
    let read =
        Proxy::new(url).ok().filter(|proxy| proxy.protocol() == ProxyProtocol::Http && !proxy.host().is_empty())?;
    let mut proxy = Proxy::builder(ProxyProtocol::Http).host(read.host()).port(read.port());
    if let Some(username) = read.username() {
        proxy = proxy.username(username).password(read.password().unwrap_or_default());
    }
    for exception in exceptions.split(',').map(str::trim).filter(|exception| !exception.is_empty()) {
        // A domain means itself and its subdomains, with or without a leading dot.
        let domain = exception.strip_prefix('.').unwrap_or(exception);
        proxy = proxy.no_proxy(domain).no_proxy(&format!(".{domain}"));
    }
    proxy.build().ok()
}

fn first_set(variables: &[&'static str]) -> Option<(&'static str, String)> {
    let value = |name| env::var_os(name).map(|value| (name, value.to_string_lossy().into_owned()));
    variables.iter().copied().filter_map(value).find(|(_, value)| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_port_and_credentials_are_read_from_the_url() {
        let proxy = of("http://us%40er:pa55%2Bword@proxy.example", "").unwrap();
        assert_eq!((proxy.host(), proxy.port()), ("proxy.example", 80));
        assert_eq!((proxy.username(), proxy.password()), (Some("us@er"), Some("pa55+word")));
        let proxy = of("[2001:db8::1]:3128", "").unwrap();
        assert_eq!((proxy.host(), proxy.port(), proxy.username()), ("[2001:db8::1]", 3128, None));
    }

    #[test]
    fn an_exception_covers_a_domain_and_its_subdomains() {
        for (exceptions, direct, through_the_proxy) in [
            ("restream.io", &["restream.io", "api.restream.io", "API.Restream.IO"][..], &["notrestream.io"][..]),
            (".restream.io", &["restream.io", "api.restream.io"], &["notrestream.io"]),
            ("example.org , api.restream.io", &["example.org", "api.restream.io"], &["restream.io", "a.example.com"]),
            ("*", &["api.restream.io", "10.0.0.1"], &[]),
            ("10.0.0.1", &["10.0.0.1"], &["10.0.0.2", "110.0.0.1"]),
            ("", &[], &["api.restream.io"]),
            (" , ", &[], &["api.restream.io"]),
        ] {
            let proxy = of("http://proxy.example:3128", exceptions).unwrap();
            let is_exception = |host: &&&str| proxy.is_no_proxy(&format!("https://{host}/").parse().unwrap());
            assert_eq!(direct.iter().find(|host| !is_exception(host)), None, "{exceptions}");
            assert_eq!(through_the_proxy.iter().find(is_exception), None, "{exceptions}");
        }
    }
}
