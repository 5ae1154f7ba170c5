//! What can be unusual about a request.

/// Something unusual about a request to an OAuth endpoint, which real clients nevertheless send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Oddity {
    /// `Host` lacks the port.
    HostWithoutPort,
    /// A parameter has no `=`, as in `&scope`.
    ParameterWithoutEqualsSign,
    /// The form contains a space that is not escaped.
    UnescapedSpace,
    /// The endpoint does not know a parameter.
    UnknownParameter,
    /// The authorization request has no `state`, so that the client cannot recognise a forged callback.
    NoState,
    /// The redirect URI and a registered one differ only in their queries. It is not registered, and the sandbox refuses it.
    RedirectUriDiffersInQuery,
    /// The redirect URI and the registered one differ in the slash of an empty path, as in `http://localhost:3000`.
    EmptyPathOfRedirectUri,
    /// A refresh has a `redirect_uri`, which belongs to an exchange.
    RedirectUriInRefresh,
    /// `scope` names a scope that the application never gets or, in a refresh, that its grant lacks.
    ScopeNotGranted,
    /// A refresh of a confidential client has no client secret.
    RefreshWithoutSecret,
    /// A rotation replaced this refresh token: the client did not receive, did not save or did not use the new one.
    OldRefreshToken,
    /// A `+` was not escaped, and therefore means a space: in a token, in a code, in the credentials or in the redirect URI.
    PlusBecameSpace,
    /// The client secret is in the Basic header and in the form, which RFC 6749 section 2.3 forbids.
    SecretInHeaderAndForm,
}

impl Oddity {
    /// The name in the ledger's JSON.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::HostWithoutPort => "host_without_port",
            Self::ParameterWithoutEqualsSign => "parameter_without_equals_sign",
            Self::UnescapedSpace => "unescaped_space",
            Self::UnknownParameter => "unknown_parameter",
            Self::NoState => "no_state",
            Self::RedirectUriDiffersInQuery => "redirect_uri_differs_in_query",
            Self::EmptyPathOfRedirectUri => "empty_path_of_redirect_uri",
            Self::RedirectUriInRefresh => "redirect_uri_in_refresh",
            Self::ScopeNotGranted => "scope_not_granted",
            Self::RefreshWithoutSecret => "refresh_without_secret",
            Self::OldRefreshToken => "old_refresh_token",
            Self::PlusBecameSpace => "plus_became_space",
            Self::SecretInHeaderAndForm => "secret_in_header_and_form",
        }
    }

    /// One sentence for a person. It has no value of a parameter.
    pub(crate) fn note(self) -> &'static str {
        match self {
            Self::HostWithoutPort => "`Host` lacks the port.",
            Self::ParameterWithoutEqualsSign => "A parameter has no `=`.",
            Self::UnescapedSpace => "The form contains a space that is not escaped.",
            Self::UnknownParameter => "The endpoint does not know one of the parameters.",
            Self::NoState => "There is no `state`: the client cannot recognise a forged callback.",
            Self::RedirectUriDiffersInQuery => {
                "`redirect_uri` differs from a registered one only in its query. Servers compare the query, too."
            }
            Self::EmptyPathOfRedirectUri => {
                "`redirect_uri` differs from the registered one in the slash of an empty path. Other servers refuse that."
            }
            Self::RedirectUriInRefresh => "A refresh needs no `redirect_uri`.",
            Self::ScopeNotGranted => "`scope` names a scope that was never granted.",
            Self::RefreshWithoutSecret => {
                "The refresh has no client secret, although the client is registered with one."
            }
            Self::OldRefreshToken => {
                "This is the old refresh token: a rotation has replaced it. The client did not receive, did not save or did \
                 not use the new one."
            }
            Self::PlusBecameSpace => "A `+` was not escaped as `%2B`, and became a space.",
            Self::SecretInHeaderAndForm => {
                "The client secret is in the header and in the form. RFC 6749 section 2.3 forbids both at once."
            }
        }
    }
}
