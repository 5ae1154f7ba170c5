//! Client authentication at the token endpoint (RFC 6749 section 2.3).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::restream::error_response::ErrorResponse;
use crate::restream::form::Form;
use crate::restream::rules::BasicCredentials;
use crate::restream::settings::Settings;

/// The method with which a request authenticated its client, whether the credentials were right or wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientAuthentication {
    /// No credentials and no `client_id`, as in the documented revocation.
    None,
    /// `Authorization: Basic …`.
    Basic,
    /// `client_id` and `client_secret` in the body.
    Body,
    /// `client_id` without a secret: a public client.
    Public,
    /// Basic and a `client_secret` in the body, which RFC 6749 forbids.
    Both,
    /// An `Authorization` header that is not Basic.
    Other,
}

impl ClientAuthentication {
    /// Finds the method in the `Authorization` header and in the form.
    pub(crate) fn of(authorization: Option<&str>, form: &Form) -> Self {
        let basic = authorization.map(is_basic);
        match (basic, form.value("client_secret"), form.value("client_id")) {
            (Some(true), Some(_), _) => Self::Both,
            (Some(true), None, _) => Self::Basic,
            (Some(false), ..) => Self::Other,
            (None, Some(_), _) => Self::Body,
            (None, None, Some(_)) => Self::Public,
            (None, None, None) => Self::None,
        }
    }

    /// The name in the ledger's JSON.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Basic => "basic",
            Self::Body => "body",
            Self::Public => "public",
            Self::Both => "both",
            Self::Other => "other",
        }
    }
}

/// How a client encoded the credentials of a Basic header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BasicEncoding {
    /// The credentials are letters, digits and `-._~*` only, which every client sends unchanged.
    Plain,
    /// Not encoded, although RFC 6749 section 2.3.1 asks for form encoding.
    Raw,
    /// Form-encoded. A space is `+`.
    Form,
    /// Percent-encoded. A space is `%20`.
    Percent,
    /// Not encoded, except for the colons.
    ColonEscaped,
}

impl BasicEncoding {
    /// The encoding of the registered credentials in this header. `None` if the header holds other credentials, or if it is
    /// not Basic.
    pub(crate) fn of(settings: &Settings, authorization: Option<&str>) -> Option<Self> {
        let sent = basic_credentials(authorization?)?;
        let (id, secret) = (settings.client_id.as_str(), settings.client_secret.as_deref()?);
        let special = |byte: u8| !byte.is_ascii_alphanumeric() && !b"-._~*".contains(&byte);
        let credentials = || id.bytes().chain(secret.bytes());
        if sent == format!("{id}:{secret}") {
            return Some(if credentials().any(special) { Self::Raw } else { Self::Plain });
        }
        // Where the colon is the only special character, this is the form encoding.
        if decoded_by(&sent, colons_unescaped, id, secret) && credentials().any(|byte| byte != b':' && special(byte)) {
            return Some(Self::ColonEscaped);
        }
        let has_space = || credentials().any(|byte| byte == b' ');
        decoded_by(&sent, form_decoded, id, secret)
            .then(|| if has_space() && !sent.contains('+') { Self::Percent } else { Self::Form })
    }

    /// The name in the ledger's JSON.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Raw => "raw",
            Self::Form => "form",
            Self::Percent => "percent",
            Self::ColonEscaped => "colon_escaped",
        }
    }
}

/// Fails unless the request carries the credentials of the registered client. `reading` is how the server reads Basic.
pub(crate) fn authenticate(
    settings: &Settings,
    reading: BasicCredentials,
    authorization: Option<&str>,
    form: &Form,
) -> Result<(), ErrorResponse> {
    let presented = ClientAuthentication::of(authorization, form);
    let used_basic = matches!(presented, ClientAuthentication::Basic | ClientAuthentication::Both);
    let judged = match presented {
        ClientAuthentication::Basic => check_basic(settings, reading, authorization, form),
        // RFC 6749 section 2.3 forbids both, but clients send both. The ledger shows it.
        ClientAuthentication::Both => check_basic(settings, reading, authorization, form)
            .and_then(|()| check_secret(settings, form.value("client_secret"), "the secret in the form")),
        ClientAuthentication::Body => check_id(settings, form.value("client_id"))
            .and_then(|()| check_secret(settings, form.value("client_secret"), "the secret")),
        ClientAuthentication::Public | ClientAuthentication::None if settings.client_secret.is_none() => {
            check_id(settings, form.value("client_id"))
        }
        ClientAuthentication::Public => {
            check_id(settings, form.value("client_id")).and_then(|()| Err(missing_secret(settings)))
        }
        ClientAuthentication::None => Err(missing_secret(settings)),
        ClientAuthentication::Other => Err("the `Authorization` header is not Basic".to_owned()),
    };
    judged.map_err(|reason| ErrorResponse::invalid_client(used_basic, &reason))
}

/// Fails with words unless this is the registered id.
fn check_id(settings: &Settings, sent: Option<&str>) -> Result<(), String> {
    let id = settings.client_id.as_str();
    match sent {
        Some(sent) if sent == id => Ok(()),
        Some(_) => Err(format!("`client_id` is not registered; registered: `{id}`")),
        None => Err(format!("`client_id` is missing; registered: `{id}`")),
    }
}

/// Fails with words unless this is the registered secret. `what` names the one that was sent.
fn check_secret(settings: &Settings, sent: Option<&str>, what: &str) -> Result<(), String> {
    let id = &settings.client_id;
    match settings.client_secret.as_deref() {
        None => Err(format!("`{id}` is a public client: it sends `client_id` and no secret")),
        registered if sent == registered => Ok(()),
        Some(_) => Err(format!("{what} is not the one that is registered for `{id}`")),
    }
}

fn missing_secret(settings: &Settings) -> String {
    format!("the request has no secret, but `{}` is registered with one", settings.client_id)
}

/// Fails with words unless the header holds the registered credentials. A `client_id` in the form must be the same.
fn check_basic(
    settings: &Settings,
    reading: BasicCredentials,
    authorization: Option<&str>,
    form: &Form,
) -> Result<(), String> {
    if form.value("client_id").is_some() {
        check_id(settings, form.value("client_id"))?;
    }
    let id = settings.client_id.as_str();
    let Some(secret) = settings.client_secret.as_deref() else {
        return check_secret(settings, None, "the secret");
    };
    let Some(sent) = authorization.and_then(basic_credentials).filter(|sent| sent.contains(':')) else {
        return Err("the Basic header is not base64 of an id, a colon and a secret".to_owned());
    };
    let encoding = BasicEncoding::of(settings, authorization);
    let (accepted, rule) = match reading {
        BasicCredentials::Either => (encoding.is_some(), "either"),
        BasicCredentials::Raw => (sent == format!("{id}:{secret}"), "raw"),
        BasicCredentials::Decoded => (decoded_by(&sent, form_decoded, id, secret), "decoded"),
    };
    if accepted {
        return Ok(());
    }
    if let Some(encoding) = encoding {
        return Err(format!("the rule `basic` is `{rule}`, and the client sent {} credentials", encoding.as_str()));
    }
    let (sent_id, _) = sent.split_once(':').unwrap_or_default();
    if !sent.starts_with(&format!("{id}:")) && form_decoded(sent_id) != id && colons_unescaped(sent_id) != id {
        check_id(settings, Some(sent_id))?;
    }
    Err(format!("the secret is not the one that is registered for `{id}`"))
}

fn is_basic(authorization: &str) -> bool {
    authorization.split_once(' ').is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"))
}

/// The text after `Basic`, decoded from base64. The scheme is case-insensitive (RFC 9110 section 11.1).
fn basic_credentials(authorization: &str) -> Option<String> {
    let (_, credentials) = authorization.split_once(' ').filter(|_| is_basic(authorization))?;
    let credentials = credentials.trim();
    String::from_utf8(STANDARD.decode(credentials).ok()?).ok()
}

/// Whether these credentials, split at the first colon, are id and secret once each half is decoded.
fn decoded_by(sent: &str, decode: fn(&str) -> String, id: &str, secret: &str) -> bool {
    sent.split_once(':').is_some_and(|(sent_id, sent_secret)| decode(sent_id) == id && decode(sent_secret) == secret)
}

fn colons_unescaped(text: &str) -> String {
    text.replace("%3A", ":").replace("%3a", ":")
}

fn form_decoded(text: &str) -> String {
    // The parser takes a lone value for a parameter's name if the value holds neither `=` nor `&`. Both are literal here.
    let literal = text.replace('&', "%26").replace('=', "%3D");
    form_urlencoded::parse(literal.as_bytes()).next().map(|(name, _)| name.into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const EITHER: BasicCredentials = BasicCredentials::Either;

    fn settings(id: &str, secret: Option<&str>) -> Settings {
        Settings {
            client_id: id.to_owned(),
            client_secret: secret.map(str::to_owned),
            redirect_uris: Vec::new(),
            scopes: Vec::new(),
            token_prefix: String::new(),
            code_lifetime: Duration::ZERO,
            access_token_lifetime: Duration::ZERO,
            refresh_token_lifetime: Duration::ZERO,
        }
    }

    fn basic(decoded: &str) -> String {
        format!("Basic {}", STANDARD.encode(decoded))
    }

    /// What 16 JavaScript and Python clients send, and which servers understand them.
    #[test]
    fn each_encoding_of_basic_is_named_and_accepted_by_the_readings_that_understand_it() {
        use BasicEncoding::{ColonEscaped, Form as Formed, Percent, Plain, Raw};
        let cases = [
            // id, secret, sent, encoding, accepted by raw, accepted by decoded
            ("id", "s-e.c_r~t", "id:s-e.c_r~t", Some(Plain), true, true),
            ("an id", "p&ss:w+rd", "an id:p&ss:w+rd", Some(Raw), true, false),
            ("an id", "p&ss:w+rd", "an+id:p%26ss%3Aw%2Brd", Some(Formed), false, true),
            ("an id", "p&ss:w+rd", "an%20id:p%26ss%3aw%2Brd", Some(Percent), false, true),
            ("an id", "p&ss:w+rd", "an id:p&ss%3Aw+rd", Some(ColonEscaped), false, false),
            ("a:b", "s+t", "a%3Ab:s+t", Some(ColonEscaped), false, false),
            ("a:b", "s+t", "a%3ab:s+t", Some(ColonEscaped), false, false),
            ("a:b", "st", "a%3Ab:st", Some(Formed), false, true),
            ("a:b", "st", "a:b:st", Some(Raw), true, false),
            ("id", "100%25", "id:100%25", Some(Raw), true, false),
            ("id", "100%25", "id:100%2525", Some(Formed), false, true),
            ("id", "secret", "id:secreT", None, false, false),
            ("id", "secret", "id", None, false, false),
            ("id", "secret", "", None, false, false),
        ];
        for (id, secret, sent, encoding, raw, decoded) in cases {
            let (settings, header, form) = (settings(id, Some(secret)), basic(sent), Form::parse(b""));
            assert_eq!(BasicEncoding::of(&settings, Some(&header)), encoding, "{sent}");
            let accepted = |reading| authenticate(&settings, reading, Some(&header), &form).is_ok();
            assert_eq!(accepted(EITHER), encoding.is_some(), "{sent}");
            assert_eq!(accepted(BasicCredentials::Raw), raw, "{sent}, raw");
            assert_eq!(accepted(BasicCredentials::Decoded), decoded, "{sent}, decoded");
        }
    }

    #[test]
    fn each_method_is_recognised_and_its_credentials_are_checked() {
        let cases: [(Option<&str>, &str, ClientAuthentication, bool); 11] = [
            (Some("id:secret"), "", ClientAuthentication::Basic, true),
            (Some("id:secret"), "client_id=id", ClientAuthentication::Basic, true),
            (Some("id:secret"), "client_id=other", ClientAuthentication::Basic, false),
            (Some("id:wrong"), "", ClientAuthentication::Basic, false),
            (Some("id:secret"), "client_id=id&client_secret=secret", ClientAuthentication::Both, true),
            (Some("id:secret"), "client_id=id&client_secret=wrong", ClientAuthentication::Both, false),
            (Some("id:wrong"), "client_id=id&client_secret=secret", ClientAuthentication::Both, false),
            (None, "client_id=id&client_secret=secret", ClientAuthentication::Body, true),
            (None, "client_id=id&client_secret=wrong", ClientAuthentication::Body, false),
            (None, "client_id=id", ClientAuthentication::Public, false),
            (None, "", ClientAuthentication::None, false),
        ];
        let settings = settings("id", Some("secret"));
        for (credentials, body, presented, accepted) in cases {
            let (authorization, form) = (credentials.map(basic), Form::parse(body.as_bytes()));
            let authorization = authorization.as_deref();
            assert_eq!(ClientAuthentication::of(authorization, &form), presented, "{body}");
            let judged = authenticate(&settings, EITHER, authorization, &form);
            assert_eq!(judged.is_ok(), accepted, "{credentials:?} {body}");
        }
    }

    #[test]
    fn a_header_of_another_scheme_or_without_base64_is_an_error() {
        let (settings, form) = (settings("id", Some("secret")), Form::parse(b""));
        for header in ["Bearer aWQ6c2VjcmV0", "Basic", "Basic !", "Basic id:secret", "aWQ6c2VjcmV0"] {
            assert!(authenticate(&settings, EITHER, Some(header), &form).is_err(), "{header}");
        }
        assert_eq!(authenticate(&settings, EITHER, Some("bAsIc aWQ6c2VjcmV0"), &form), Ok(()));
    }

    #[test]
    fn a_public_client_sends_its_id_and_no_secret() {
        let settings = settings("id", None);
        assert_eq!(authenticate(&settings, EITHER, None, &Form::parse(b"client_id=id")), Ok(()));
        assert!(authenticate(&settings, EITHER, None, &Form::parse(b"client_id=id&client_secret=x")).is_err());
        assert!(authenticate(&settings, EITHER, Some(&basic("id:")), &Form::parse(b"")).is_err());
    }
}
