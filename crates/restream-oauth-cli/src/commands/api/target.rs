//! The URL of a call. The access token goes to the origin of the base URL only (RFC 6750 §5.2).

use http::Uri;
use http::uri::Scheme;

use crate::failure::Failure;

/// Returns the URL of a path at the base URL, or an absolute URL of the same origin.
pub(super) fn uri(base: &str, path: &str) -> Result<Uri, Failure> {
    let absolute = path.contains("://") && !path.starts_with('/');
    let text = if absolute {
        path.to_owned()
    } else {
        format!("{}/{}", base.trim_end_matches('/'), path.trim_start_matches('/'))
    };
    // The parser drops a fragment without a word.
    let uri: Option<Uri> = if path.contains('#') { None } else { text.parse().ok() };
    let uri = uri.ok_or_else(|| {
        Failure::usage("the path cannot be used: expected one such as /v2/user/profile, in visible ASCII and without #")
    })?;
    let base: Option<Uri> = base.parse().ok();
    let origin_of_base = base.as_ref().and_then(origin);
    if origin_of_base.is_none() || origin(&uri) != origin_of_base {
        return Err(Failure::usage(
            "the access token goes to the server of the base URL only: give a path, or a URL there",
        ));
    }
    Ok(uri)
}

/// Scheme, host and port. `None` for a URL that names a user: it could be taken for another host.
fn origin(uri: &Uri) -> Option<(bool, String, u16)> {
    let https = uri.scheme()? == &Scheme::HTTPS;
    if !https && uri.scheme()? != &Scheme::HTTP || uri.authority()?.as_str().contains('@') {
        return None;
    }
    let port = uri.port_u16().unwrap_or(if https { 443 } else { 80 });
    Some((https, uri.host()?.to_ascii_lowercase(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "https://api.restream.io";

    #[test]
    fn a_path_counts_from_the_base_url() {
        for (base, path, expected) in [
            (BASE, "/v2/user/profile", "https://api.restream.io/v2/user/profile"),
            (BASE, "v2/user/profile?a=b", "https://api.restream.io/v2/user/profile?a=b"),
            ("http://127.0.0.1:8000/", "/v2", "http://127.0.0.1:8000/v2"),
            // It is a path, and names no host.
            (BASE, "//evil.example/x", "https://api.restream.io/evil.example/x"),
            (BASE, "@evil.example/x", "https://api.restream.io/@evil.example/x"),
            (BASE, "/v2?to=https://evil.example/", "https://api.restream.io/v2?to=https://evil.example/"),
        ] {
            assert_eq!(uri(base, path).unwrap().to_string(), expected);
        }
    }

    #[test]
    fn an_absolute_url_is_one_of_the_same_origin() {
        for good in ["https://api.restream.io/x", "https://API.restream.io:443/x"] {
            assert!(uri(BASE, good).is_ok(), "{good}");
        }
        for bad in [
            "http://api.restream.io/x",
            "https://api.restream.io:444/x",
            "https://api.restream.io.evil.example/x",
            "https://evil.example/x",
            "https://api.restream.io@evil.example/x",
            "https://user@api.restream.io/x",
            "ftp://api.restream.io/x",
            "https://",
            "/a b",
            "/a\r\nHost: evil.example",
            "/a#b",
        ] {
            assert!(uri(BASE, bad).is_err(), "{bad:?}");
        }
    }
}
