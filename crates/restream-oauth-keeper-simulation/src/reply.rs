//! What the server writes: real bytes, so that the core's reader is part of every run.
//!
//! The odd answers are rows of the table of failures that a keeper has to survive: an answer with both tokens in it must
//! never be lost, however strange it is.

use crate::server::{PairId, access_text, refresh_text};

/// An answer, as the server writes it.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
    /// The pair that the answer speaks of.
    pub(crate) pair: Option<PairId>,
    /// How many bytes of the body have to arrive until its refresh token is whole. `None`: it cannot be read at all.
    pub(crate) refresh_ends: Option<usize>,
    /// It gives an access token and no refresh token: a client has to believe that it may keep the old one.
    pub(crate) lacks_refresh_token: bool,
}

/// How the body of a successful answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Plain,
    Twins,
    ByteOrderMark,
    NoContentType,
    Created,
    LifeAsText,
    LifeIsNull,
    LifeIsNegative,
    LifeIsHuge,
    Latin1,
    DeeplyNested,
    Repeated,
    RefreshTokenFirst,
    LengthTooLong,
    /// The refresh token is not there, although the server rotated it.
    LacksRefreshToken,
    /// The access token is empty.
    LacksAccessToken,
    /// Compressed, although nobody asked for it.
    Compressed,
    /// A gateway has put a page in the place of the answer.
    Page,
    SeeOther,
}

impl Style {
    /// The styles that lose no token.
    pub(crate) const HARMLESS: [Self; 13] = [
        Self::Twins,
        Self::ByteOrderMark,
        Self::NoContentType,
        Self::Created,
        Self::LifeAsText,
        Self::LifeIsNull,
        Self::LifeIsNegative,
        Self::LifeIsHuge,
        Self::Latin1,
        Self::DeeplyNested,
        Self::Repeated,
        Self::RefreshTokenFirst,
        Self::LengthTooLong,
    ];
    /// The styles that lose a token.
    pub(crate) const HARMFUL: [Self; 5] =
        [Self::LacksRefreshToken, Self::LacksAccessToken, Self::Compressed, Self::Page, Self::SeeOther];
}

impl Reply {
    /// A successful token response. `refresh` is the pair whose refresh token it gives; `None` if it gives none.
    pub(crate) fn issued(pair: PairId, refresh: Option<PairId>, life_in_seconds: u64, style: Style) -> Self {
        let access = access_text(pair);
        let refresh_member = refresh.map_or(String::new(), |it| format!(",\"refresh_token\":\"{}\"", refresh_text(it)));
        let life = match style {
            Style::LifeAsText => format!("\"{life_in_seconds}\""),
            Style::LifeIsNull => "null".to_owned(),
            Style::LifeIsNegative => "-5".to_owned(),
            Style::LifeIsHuge => "1e400".to_owned(),
            _ => life_in_seconds.to_string(),
        };
        let tail = format!(",\"token_type\":\"Bearer\",\"expires_in\":{life},\"scope\":\"profile.read\"}}");
        let plain = format!("{{\"access_token\":\"{access}\"{refresh_member}{tail}");
        let mut status = 200;
        let mut headers = vec![("content-type", "application/json".to_owned())];
        let body = match style {
            Style::Twins => plain.replace(
                "\"token_type\"",
                &format!("\"accessToken\":\"{access}\",\"expires\":1893456000,\"token_type\""),
            ),
            Style::ByteOrderMark => format!("\u{feff}{plain}"),
            Style::DeeplyNested => format!("{{\"x\":{}{},{}", "[".repeat(300), "]".repeat(300), &plain[1..]),
            Style::Repeated => format!("{{\"access_token\":\"{access}\",{}", &plain[1..]),
            Style::RefreshTokenFirst if refresh.is_some() => {
                format!("{{{},\"access_token\":\"{access}\"{tail}", &refresh_member[1..])
            }
            Style::LacksRefreshToken => format!("{{\"access_token\":\"{access}\"{tail}"),
            Style::LacksAccessToken => format!("{{\"access_token\":\"\"{refresh_member}{tail}"),
            Style::Page => "<html><body>Welcome to the hotel</body></html>".to_owned(),
            Style::SeeOther => String::new(),
            _ => plain,
        };
        match style {
            Style::NoContentType => headers.clear(),
            Style::Created => status = 201,
            Style::Page => "text/html".clone_into(&mut headers[0].1),
            Style::LengthTooLong => headers.push(("content-length", (body.len() + 40).to_string())),
            Style::Compressed => headers.push(("content-encoding", "gzip".to_owned())),
            Style::SeeOther => {
                status = 303;
                headers.push(("location", "https://api.example/elsewhere".to_owned()));
            }
            _ => {}
        }
        let mut body = body.into_bytes();
        if style == Style::Latin1 {
            body.truncate(body.len() - 1);
            body.extend(b",\"name\":\"Andr\xE9\"}");
        }
        if style == Style::Compressed {
            for byte in &mut body {
                *byte ^= 0x55;
            }
        }
        let refresh_ends = refresh.and_then(|it| {
            let member = format!("\"refresh_token\":\"{}\"", refresh_text(it));
            body.windows(member.len()).position(|window| window == member.as_bytes()).map(|at| at + member.len())
        });
        let lacks_refresh_token = style == Style::LacksRefreshToken
            || refresh.is_none() && !matches!(style, Style::Compressed | Style::Page | Style::SeeOther);
        Self { status, headers, body, pair: Some(pair), refresh_ends, lacks_refresh_token }
    }

    /// The refresh token is refused. `nested` as Restream writes it.
    pub(crate) fn invalid_grant(nested: bool) -> Self {
        let body = if nested {
            r#"{"error":{"statusCode":400,"code":400,"name":"invalid_grant","message":"Refresh token is invalid"}}"#
        } else {
            r#"{"error":"invalid_grant","error_description":"Refresh token is invalid"}"#
        };
        Self::json(400, body)
    }

    /// A failure that says nothing about the grant.
    pub(crate) fn failure(status: u16, retry_after: Option<u64>) -> Self {
        let body = match status {
            401 => r#"{"error":"invalid_client"}"#,
            429 => r#"{"error":"slow_down_please"}"#,
            _ => "<html><body>Error</body></html>",
        };
        let mut reply = Self::json(status, body);
        if body.starts_with('<') {
            "text/html".clone_into(&mut reply.headers[0].1);
        }
        if let Some(seconds) = retry_after {
            reply.headers.push(("retry-after", seconds.to_string()));
        }
        reply
    }

    pub(crate) fn json(status: u16, body: &str) -> Self {
        Self {
            status,
            headers: vec![("content-type", "application/json".to_owned())],
            body: body.as_bytes().to_vec(),
            pair: None,
            refresh_ends: None,
            lacks_refresh_token: false,
        }
    }

    /// True if the answer proves that the server did not act on the request.
    pub(crate) fn proves_nothing_happened(&self) -> bool {
        self.pair.is_none() && (400..500).contains(&self.status) && !matches!(self.status, 408 | 499)
    }
}
