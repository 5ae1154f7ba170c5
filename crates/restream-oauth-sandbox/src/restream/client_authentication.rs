//! Client authentication at the token endpoint (RFC 6749 section 2.3).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::restream::error_response::ErrorResponse;
use crate::restream::form::Form;

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
        let basic = authorization.map(|value| basic_credentials(value).is_some());
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

/// Fails unless the request carries the credentials of the registered client.
pub(crate) fn authenticate(
    id: &str,
    secret: Option<&str>,
    authorization: Option<&str>,
    form: &Form,
) -> Result<(), ErrorResponse> {
    let presented = ClientAuthentication::of(authorization, form);
    let accepted = match presented {
        ClientAuthentication::Both => {
            return Err(ErrorResponse::invalid_request("Invalid request: more than one client authentication"));
        }
        ClientAuthentication::Basic => {
            let same_client = form.value("client_id").is_none_or(|in_body| in_body == id);
            let basic = authorization.and_then(basic_credentials).and_then(|it| decode(&it));
            same_client && basic.is_some_and(|(its_id, its_secret)| its_id == id && Some(its_secret.as_str()) == secret)
        }
        ClientAuthentication::Body => form.value("client_id") == Some(id) && form.value("client_secret") == secret,
        ClientAuthentication::Public => form.value("client_id") == Some(id) && secret.is_none(),
        ClientAuthentication::None | ClientAuthentication::Other => false,
    };
    if accepted { Ok(()) } else { Err(ErrorResponse::invalid_client(presented == ClientAuthentication::Basic)) }
}

/// The credentials after `Basic`. The scheme is case-insensitive (RFC 9110 section 11.1).
fn basic_credentials(authorization: &str) -> Option<String> {
    let (scheme, credentials) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("basic").then(|| credentials.trim().to_owned())
}

/// Decodes base64, splits at the first colon and form-decodes both halves (RFC 6749 section 2.3.1).
fn decode(credentials: &str) -> Option<(String, String)> {
    let decoded = STANDARD.decode(credentials).ok()?;
    let decoded = String::from_utf8(decoded).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    Some((form_decoded(id), form_decoded(secret)))
}

fn form_decoded(text: &str) -> String {
    // The parser takes a lone value for a parameter's name if the value holds neither `=` nor `&`. Both are literal here.
    let literal = text.replace('&', "%26").replace('=', "%3D");
    form_urlencoded::parse(literal.as_bytes()).next().map(|(name, _)| name.into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic(decoded: &str) -> String {
        format!("Basic {}", STANDARD.encode(decoded))
    }

    #[test]
    fn id_and_secret_are_form_decoded_after_base64() {
        let form = Form::parse(b"");
        for written in ["an%20id:p%26ss%3Aw%2Brd", "an+id:p&ss%3aw%2brd"] {
            assert_eq!(authenticate("an id", Some("p&ss:w+rd"), Some(&basic(written)), &form), Ok(()));
        }
    }

    #[test]
    fn each_method_is_recognised_and_its_credentials_are_checked() {
        let cases: [(Option<&str>, &str, ClientAuthentication, bool); 9] = [
            (Some("id:secret"), "", ClientAuthentication::Basic, true),
            (Some("id:secret"), "client_id=id", ClientAuthentication::Basic, true),
            (Some("id:secret"), "client_id=other", ClientAuthentication::Basic, false),
            (Some("id:wrong"), "", ClientAuthentication::Basic, false),
            (Some("id:secret"), "client_id=id&client_secret=secret", ClientAuthentication::Both, false),
            (None, "client_id=id&client_secret=secret", ClientAuthentication::Body, true),
            (None, "client_id=id&client_secret=wrong", ClientAuthentication::Body, false),
            (None, "client_id=id", ClientAuthentication::Public, false),
            (None, "", ClientAuthentication::None, false),
        ];
        for (credentials, body, presented, accepted) in cases {
            let (authorization, form) = (credentials.map(basic), Form::parse(body.as_bytes()));
            let authorization = authorization.as_deref();
            assert_eq!(ClientAuthentication::of(authorization, &form), presented, "{body}");
            let judged = authenticate("id", Some("secret"), authorization, &form);
            assert_eq!(judged.is_ok(), accepted, "{credentials:?} {body}");
        }
    }

    #[test]
    fn a_public_client_sends_its_id_and_no_secret() {
        let alone = Form::parse(b"client_id=id");
        assert_eq!(authenticate("id", None, None, &alone), Ok(()));
        let with_secret = Form::parse(b"client_id=id&client_secret=x");
        assert!(authenticate("id", None, None, &with_secret).is_err());
    }
}
