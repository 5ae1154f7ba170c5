//! Generators for property tests: hostile credentials, URIs, scopes, responses, chunks and times (feature `proptest`).
//!
//! The core is tested with them. A program that embeds the core can test its own transport with them: a test server
//! sends [`TokenAnswer::body`] in [`Pieces`], and the test checks that the pair arrives.
//!
//! ```
//! use std::time::SystemTime;
//! use proptest::prelude::*;
//! use restream_oauth_core::{Client, RefreshToken, generators};
//!
//! # fn main() -> Result<(), restream_oauth_core::config::ConfigError> {
//! let client = Client::builder("id").secret("s").redirect_uri("https://app.example/callback").build()?;
//! proptest!(|(answer in generators::token_answer(), pieces in generators::pieces())| {
//!     let (_request, mut reader) = client.refresh(&RefreshToken::new("r0")).into_parts(SystemTime::UNIX_EPOCH);
//!     // Instead of the transport under test:
//!     let _ = reader.head(http::StatusCode::OK, &http::HeaderMap::new());
//!     for piece in pieces.of(answer.body.as_bytes()) {
//!         let _ = reader.chunk(piece);
//!     }
//!     let tokens = reader.finish().interpret().expect("both tokens arrived");
//!     prop_assert_eq!(tokens.access_token().expose_secret(), answer.access_token);
//! });
//! # Ok(())
//! # }
//! ```

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use http::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER,
    WWW_AUTHENTICATE,
};
use proptest::collection::{SizeRange, vec};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::encoding::text::is_invisible;
use crate::token::Scope;

/// Any text of this many characters. Characters with a meaning in forms, URIs and headers are frequent.
pub fn text(length: impl Into<SizeRange>) -> impl Strategy<Value = String> {
    vec(prop_oneof![any::<char>(), prop::char::range(' ', '~'), select(vec!['&', '=', '+', '%', ':', ' '])], length)
        .prop_map(String::from_iter)
}

/// A strange client identifier that [`ClientBuilder::build`](crate::ClientBuilder::build) accepts. It has no control
/// character, no quote and no invisible character, and white space only as spaces between other characters.
pub fn client_id() -> impl Strategy<Value = String> {
    text(1..12).prop_map(|text| {
        let refused = |character: char| {
            let other_space = character.is_whitespace() && character != ' ';
            is_refused(character) || other_space || matches!(character, '"' | '\'' | '`')
        };
        format!("id{}.", text.replace(refused, ""))
    })
}

/// A client secret, code or token that begins with `canary`, so that a test can search for it. It has any characters
/// except control characters and invisible characters.
pub fn secret(canary: &'static str) -> impl Strategy<Value = String> {
    text(0..12).prop_map(move |text| format!("{canary}{}.", text.replace(is_refused, "")))
}

/// True for a character that neither an identifier nor a secret may hold.
fn is_refused(character: char) -> bool {
    character.is_control() || is_invisible(character)
}

/// A redirect URI that [`ClientBuilder::build`](crate::ClientBuilder::build) accepts: `https`, or `http` on loopback,
/// with any kind of path and query.
pub fn redirect_uri() -> impl Strategy<Value = String> {
    let places = vec![
        "https://app.example",
        "https://APP.example:8443",
        "https://xn--bcher-kva.example",
        "https://192.0.2.7",
        "https://[2001:db8::1]:65535",
        "http://127.0.0.1:1",
        "http://127.255.0.1",
        "http://[::1]:8976",
        "http://localhost:8976",
        "HTTPS://app.example",
    ];
    let path = "(/[A-Za-z0-9._~!$&'()*+,;=:@-]{0,5}(%[0-9A-Fa-f]{2})?){0,3}";
    let query = "(\\?(x[a-z]{0,3}=[A-Za-z0-9._~!$'()*+,;:@/?-]{0,5}(%2[0-9A-F])?&?){0,3})?";
    (select(places), path, query).prop_map(|(place, path, query)| [place, &path, &query].concat())
}

/// A URI that [`ClientBuilder::build`](crate::ClientBuilder::build) refuses, both as a redirect URI and as an endpoint.
pub fn refused_uri() -> impl Strategy<Value = String> {
    let whole = vec![
        "",
        "/callback",
        "app.example/callback",
        "//app.example/callback",
        "ftp://app.example/callback",
        "javascript://app.example/%0aalert(1)",
        "https:app.example",
        "https://",
        "https://:443/",
        "https://app.example:0/",
        "https://app.example:65536/",
        "https://app.example:x/",
        "https://user@app.example/",
        "https://user:password@app.example/",
        "https://app.example/#",
        "https://app.example/callback#part",
    ];
    // Hosts that look like loopback but are not.
    let hosts = vec![
        "app.example",
        "localhost.evil.example",
        "localhost.",
        "127.0.0.1.evil.example",
        "127.1",
        "127.0.0.01",
        "0x7f.0.0.1",
        "0x7f000001",
        "2130706433",
        "[::ffff:127.0.0.1]",
        "[::127.0.0.1]",
        "[::2]",
        "0.0.0.0",
        "[::]",
        "10.0.0.1",
    ];
    let bad =
        vec![' ', '"', '<', '>', '\\', '^', '`', '{', '|', '}', '\0', '\t', '\r', '\n', '\u{7F}', 'é', '\u{202E}'];
    prop_oneof![
        select(whole).prop_map(str::to_owned),
        select(hosts).prop_map(|host| format!("http://{host}/callback")),
        (redirect_uri(), select(bad), any::<Index>()).prop_map(|(mut uri, character, at)| {
            uri.insert(at.index(uri.len().saturating_add(1)), character);
            uri
        }),
        redirect_uri().prop_map(|uri| uri + "%"),
    ]
}

/// Up to five scopes, each of any characters that RFC 6749 §3.3 allows.
pub fn scopes() -> impl Strategy<Value = Vec<Scope>> {
    let any = "[!#-\\[\\]-~]{1,12}".prop_filter_map("it is no scope", |text| Scope::new(text).ok());
    let known = select(vec![Scope::PROFILE_READ, Scope::CHAT_READ, Scope::CHAT_WRITE]);
    vec(prop_oneof![any, known], 0..6)
}

/// Text that is not a valid scope.
pub fn refused_scope() -> impl Strategy<Value = String> {
    let allowed = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5B | 0x5D..=0x7E);
    text(0..8).prop_filter("it is a scope", move |text| text.is_empty() || !text.bytes().all(allowed))
}

/// Any JSON value as text, including numbers of all sizes, lone surrogates and deep nesting.
pub fn json_value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        select(vec![
            "null",
            "true",
            "false",
            "0",
            "-1",
            "1e400",
            "-0.5e-7",
            "3600",
            "\"3600\"",
            "\"\"",
            "[]",
            "{}",
            "\"Bearer\"",
            r#""\ud800""#,
            r#""\udfff\ud800""#,
            "18446744073709551616",
            "\"inf\"",
            "\"a b\"",
            "[\"a\",5]",
        ])
        .prop_map(str::to_owned),
        any::<i128>().prop_map(|number| number.to_string()),
        any::<f64>().prop_filter("JSON has no other numbers", |n| n.is_finite()).prop_map(|n| format!("{n:e}")),
        (text(0..8), 0..4_u8).prop_map(|(text, escape)| json_string(&text, escape)),
    ];
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(|all| format!("[{}]", all.join(","))),
            vec((text(0..4), inner.clone()), 0..4).prop_map(|all| {
                let members: Vec<_> = all.iter().map(|(key, raw)| json_string(key, 0) + ":" + raw).collect();
                format!("{{{}}}", members.join(" , "))
            }),
            (inner, 1..200_usize).prop_map(|(raw, depth)| "[".repeat(depth) + &raw + &"]".repeat(depth)),
        ]
    })
}

/// A success response to a code exchange or a refresh: both tokens, among other members.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TokenAnswer {
    /// The access token in the body.
    pub access_token: String,
    /// The refresh token in the body.
    pub refresh_token: String,
    /// The body: a JSON object.
    pub body: String,
    /// The number of bytes of `body` after which both tokens have arrived.
    pub closed: usize,
}

/// A [`TokenAnswer`] with the tokens under either of their names, in any order, escaped or not. Other members are
/// strange or repeated, or have the name of a token but an unusable value.
pub fn token_answer() -> impl Strategy<Value = TokenAnswer> {
    // A test cannot tell a replacement character in a token from one that replaces invalid bytes.
    let token = || text(1..20).prop_map(|text| format!("t{}", text.replace('\u{FFFD}', "")));
    let access_name = select(vec!["access_token", "accessToken"]);
    let refresh_name = select(vec!["refresh_token", "refreshToken"]);
    let space = select(vec!["", " ", "\r\n\t"]);
    let tokens = (token(), token(), access_name, refresh_name, any::<[Index; 2]>());
    (tokens, 0..4_u8, vec(member_without_token(), 0..6), space).prop_map(|(tokens, escape, others, space)| {
        let (access_token, refresh_token, access_name, refresh_name, [first, second]) = tokens;
        let mut members: Vec<(String, String, bool)> =
            others.into_iter().map(|(name, raw)| (name, raw, false)).collect();
        for (name, token, place) in [(access_name, &access_token, first), (refresh_name, &refresh_token, second)] {
            let place = place.index(members.len().saturating_add(1));
            members.insert(place, (name.to_owned(), json_string(token, escape), true));
        }
        let mut body = String::from("{");
        let mut closed = 0;
        let mut comma = "";
        for (name, raw, is_token) in members {
            body.extend([space, comma, &json_string(&name, escape / 2), space, ":", space, &raw]);
            comma = ",";
            if is_token {
                closed = body.len();
            }
        }
        TokenAnswer { access_token, refresh_token, body: body + space + "}", closed }
    })
}

fn member_without_token() -> impl Strategy<Value = (String, String)> {
    let names = select(vec![
        "expires",
        "expires_in",
        "scope",
        "token_type",
        "accessTokenExpiresIn",
        "accessTokenExpiresAt",
        "error",
        "message",
        "accessTokenExpiresEpoch",
        "refreshTokenExpiresIn",
        "refreshTokenExpiresEpoch",
        "scopeJson",
        "tokenType",
        "id",
    ]);
    // A value that is not usable as a token never replaces a token.
    let no_token = prop_oneof![
        select(vec!["null", "\"\"", "5", "true", "[\"x\"]", "{}", r#""\ud800""#, "1e400"]).prop_map(str::to_owned),
        json_value().prop_filter("it would be a token", |raw| !raw.starts_with('"')),
    ];
    let token_names = select(vec!["access_token", "accessToken", "refresh_token", "refreshToken"]);
    prop_oneof![
        (names.prop_map(str::to_owned), json_value()),
        (text(0..6).prop_map(|name| format!("x{name}")), json_value()),
        (token_names.prop_map(str::to_owned), no_token),
    ]
}

/// A text as a JSON string. `escape` is the number of thirds of its characters that are escaped, from 0 to 3.
fn json_string(text: &str, escape: u8) -> String {
    let mut out = String::from("\"");
    for (character, third) in text.chars().zip([0, 1, 2].into_iter().cycle()) {
        if third < escape || character < ' ' || matches!(character, '"' | '\\') {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(character);
        }
    }
    out + "\""
}

/// A body that a server or a gateway may send: tokens, any JSON, any bytes, or an error that repeats `secret`.
pub fn body(secret: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let error = move |raw: String| format!(r#"{{"error":{raw},"message":"no {secret} is right"}}"#).into_bytes();
    prop_oneof![
        vec(any::<u8>(), 0..200),
        json_value().prop_map(String::into_bytes),
        token_answer().prop_map(|answer| answer.body.into_bytes()),
        json_value().prop_map(error),
        nested_error(secret).prop_map(String::into_bytes),
    ]
}

/// An error body in Restream's form, with any status, which may differ from the status of the response.
fn nested_error(secret: &'static str) -> impl Strategy<Value = String> {
    let names = vec!["invalid_grant", "invalid_client", "server_error", "temporarily_unavailable", "odd", ""];
    let status = prop_oneof![100..600_u16, any::<u16>()];
    (select(vec!["statusCode", "status", "code"]), status, select(names)).prop_map(move |(member, status, name)| {
        format!(r#"{{"error":{{"{member}":{status},"name":"{name}","message":"no {secret} is right"}}}}"#)
    })
}

/// Up to three headers that the core reads, with sensible or random values.
pub fn headers() -> impl Strategy<Value = HeaderMap> {
    let names = vec![CONTENT_TYPE, CONTENT_LENGTH, CONTENT_ENCODING, RETRY_AFTER, DATE, WWW_AUTHENTICATE];
    let values = select(vec![
        "application/json",
        "200",
        "30",
        "gzip",
        "Bearer error=\"invalid_token\"",
        "Thu, 01 Jan 1970 00:01:30 GMT",
    ]);
    let value = prop_oneof![vec(32..=255_u8, 0..12), values.prop_map(|value| value.as_bytes().to_owned())];
    let header = |(name, value): (HeaderName, Vec<u8>)| Some((name, HeaderValue::from_bytes(&value).ok()?));
    vec((select(names), value), 0..4).prop_map(move |all| all.into_iter().filter_map(header).collect())
}

/// How a body is split into chunks on its way.
#[derive(Clone, Debug)]
pub struct Pieces {
    sizes: Vec<usize>,
}

impl Pieces {
    /// The chunks of `body`. Together they are the body; some may be empty.
    pub fn of<'a>(&'a self, body: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        let mut rest = body;
        let cut = move |size: &usize| {
            let (piece, after) = rest.split_at(rest.len().min(*size));
            rest = after;
            piece
        };
        // Enough chunks for the whole body: each round through the sizes takes at least one byte.
        let turns = body.len().saturating_add(1).saturating_mul(self.sizes.len());
        self.sizes.iter().cycle().take(turns).map(cut)
    }
}

/// Chunks of all sizes, repeated: from single bytes to the whole body at once.
pub fn pieces() -> impl Strategy<Value = Pieces> {
    let some = prop_oneof![1..4_usize, 1..300_usize, Just(usize::MAX)];
    (vec(prop_oneof![some.clone(), Just(0)], 0..4), some).prop_map(|(mut sizes, last)| {
        sizes.push(last);
        Pieces { sizes }
    })
}

/// Any time that a clock can show, including times long before 1970 and long after the year 9999.
pub fn time() -> impl Strategy<Value = SystemTime> {
    let near = 0..4_000_000_000_i64;
    (prop_oneof![any::<i64>(), near], 0..1_000_000_000_u32).prop_map(|(seconds, nanoseconds)| {
        let distance = Duration::new(seconds.unsigned_abs(), nanoseconds);
        let epoch = SystemTime::UNIX_EPOCH;
        if seconds < 0 { epoch.checked_sub(distance) } else { epoch.checked_add(distance) }.unwrap_or(epoch)
    })
}
