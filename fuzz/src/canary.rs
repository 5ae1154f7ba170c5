//! Secrets that can be searched for, in every form in which they could be printed.

use std::collections::BTreeSet;
use std::error::Error as _;
use std::fmt::Debug;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use restream_oauth_core::error::{ErrorKind, Operation};
use restream_oauth_core::{Error, Tokens};
use restream_oauth_sandbox::spellings;

/// Part of every secret here. It has letters and digits only, so that no encoding changes it.
pub(crate) const WORD: &str = "c4nary7Qx2Vb";
/// The client secret. Each secret but the verifier and the access token changes when it is encoded.
pub(crate) const SECRET: &str = "c4nary7Qx2Vb/s+1 &=\u{E9}%41";
pub(crate) const REFRESH: &str = "c4nary7Qx2Vb/r+1 &=\u{E9}%41";
pub(crate) const CODE: &str = "c4nary7Qx2Vb/c+1 &=\u{E9}%41";
pub(crate) const ACCESS: &str = "c4nary7Qx2Vb/a+1&=~.%41";
pub(crate) const VERIFIER: &str = "c4nary7Qx2Vb-verifier-c4nary7Qx2Vb-verifier";
pub(crate) const CLIENT_ID: &str = "client-id";

/// Puts the secrets that a step sent into the input, for servers that repeat what they were sent. `$s` stands for the
/// client secret, `$S` for the encoded client secret, `$b` for the Basic credentials. `$c` and `$v` stand for code and
/// verifier of an exchange, `$r` for the token of a refresh, `$a` for the token of any other call. Anything else after
/// `$` stays, because a call does not know the secrets of other calls.
pub(crate) fn echo(data: &[u8], step: Operation) -> Vec<u8> {
    let own: &[u8] = match step {
        Operation::Exchange => b"sSbcCv",
        Operation::Refresh => b"sSbrR",
        _ => b"sSaA",
    };
    let mut out = Vec::with_capacity(data.len());
    let mut rest = data;
    while let [first, after @ ..] = rest {
        let echoed = match (first, after) {
            (b'$', [name, ..]) if own.contains(name) => ECHOES.iter().find(|(one, _)| one == name),
            _ => None,
        };
        rest = if let Some((_, text)) = echoed {
            out.extend_from_slice(text.as_bytes());
            &after[1..]
        } else {
            out.push(*first);
            after
        };
    }
    out
}

static ECHOES: LazyLock<[(u8, String); 10]> = LazyLock::new(|| {
    let secret = form_encoded(SECRET).replace('+', "%20");
    [
        (b's', SECRET.to_owned()),
        (b'S', secret.clone()),
        (b'b', STANDARD.encode(format!("{CLIENT_ID}:{secret}"))),
        (b'c', CODE.to_owned()),
        (b'C', form_encoded(CODE)),
        (b'v', VERIFIER.to_owned()),
        (b'r', REFRESH.to_owned()),
        (b'R', form_encoded(REFRESH)),
        (b'a', ACCESS.to_owned()),
        (b'A', form_encoded(ACCESS)),
    ]
});

fn form_encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// What must not be printed after an input.
pub(crate) struct Silence(Vec<&'static str>);

impl Silence {
    /// `data` is the input before [`echo`]. If it holds a form of the word by itself, that form may be printed.
    pub(crate) fn after(data: &[u8]) -> Self {
        let text = String::from_utf8_lossy(data);
        Self(FORMS.iter().map(String::as_str).filter(|form| !text.contains(form)).collect())
    }

    /// The secret in a text, if there is one.
    pub(crate) fn find(&self, text: &str) -> Option<&'static str> {
        self.0.iter().copied().find(|form| text.contains(form))
    }

    /// Searches what is printed.
    pub(crate) fn check(&self, printed: &str) {
        assert_eq!(self.find(printed), None, "a secret in {printed:?}");
    }

    /// Searches everything that an error can print, its whole chain of sources too.
    pub(crate) fn check_error(&self, error: &Error) {
        self.check(&error.to_string());
        self.check(&format!("{error:?}"));
        self.check(&format!("{error:#?}"));
        self.check(error.server_message().unwrap_or_default());
        if let ErrorKind::Refused(code) = error.kind() {
            self.check(code.as_str());
        }
        let mut source = error.source();
        while let Some(one) = source {
            self.check(&format!("{one} {one:?}"));
            source = one.source();
        }
    }

    /// Searches the `Debug` of tokens, unless the server used the secret as the name of a scope.
    pub(crate) fn check_tokens(&self, tokens: &Tokens) {
        if tokens.scopes().is_none_or(|scopes| self.find(scopes.as_str()).is_none()) {
            self.check_debug(tokens);
        }
    }

    /// Searches the `Debug` of a value that holds secrets.
    pub(crate) fn check_debug(&self, value: &impl Debug) {
        self.check(&format!("{value:?}"));
    }
}

/// The word in each form in which bytes get printed.
static FORMS: LazyLock<BTreeSet<String>> = LazyLock::new(|| spellings(WORD));

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    #[test]
    fn every_form_is_found() {
        let silence = Silence::after(b"");
        let leaks = [
            format!("token {WORD}"),
            format!("{:?}", WORD.as_bytes()),
            form_encoded(SECRET),
            WORD.bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat(),
            STANDARD.encode(SECRET),
            STANDARD.encode(format!("a{SECRET}")),
            STANDARD.encode(format!("ab{SECRET}")),
            URL_SAFE_NO_PAD.encode(format!("id:{SECRET}")),
        ];
        for leak in leaks {
            assert!(std::panic::catch_unwind(|| silence.check(&leak)).is_err(), "{leak}");
        }
        silence.check("a part of the word alone: c4nary");
    }

    #[test]
    fn what_the_input_says_by_itself_is_not_searched() {
        Silence::after(b"x c4nary7Qx2Vb").check(WORD);
    }

    #[test]
    fn secrets_are_put_in_where_they_are_asked_for() {
        assert_eq!(echo(b"a$v$$x$", Operation::Exchange), [b"a", VERIFIER.as_bytes(), b"$$x$"].concat());
        assert_eq!(echo(b"$R$c", Operation::Refresh), b"c4nary7Qx2Vb%2Fr%2B1+%26%3D%C3%A9%2541$c");
    }
}
