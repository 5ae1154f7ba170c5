//! What a device or a browser gets.

use serde_json::Value;

/// An answer of the broker.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn of(mut response: http::Response<ureq::Body>) -> Self {
        let body = response.body_mut().read_to_string().unwrap_or_else(|error| format!("cut off: {error}"));
        Self { status: response.status().as_u16(), headers: response.headers().clone(), body }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn location(&self) -> &str {
        self.header("location")
    }

    /// What a browser sends back.
    pub(crate) fn cookie(&self) -> Option<String> {
        self.header("set-cookie").split_once(';').map(|(cookie, _)| cookie.to_owned())
    }

    /// A parameter of the URL that the answer leads to.
    pub(crate) fn parameter(&self, name: &str) -> String {
        let query = self.location().split_once('?').unwrap().1;
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs.find(|(known, _)| known == name).unwrap_or_else(|| panic!("{self:?}")).1.into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn tokens(&self) -> Tokens {
        assert_eq!(self.status, 200, "{self:?}");
        let json = self.json();
        let text = |name: &str| json[name].as_str().unwrap_or_else(|| panic!("{self:?}")).to_owned();
        Tokens {
            access_token: text("access_token"),
            refresh_token: text("refresh_token"),
            expires_in: json["expires_in"].as_u64().unwrap(),
        }
    }

    /// The status and the error code.
    pub(crate) fn refusal(&self) -> (u16, String) {
        (self.status, self.json()["error"].as_str().unwrap_or_else(|| panic!("{self:?}")).to_owned())
    }
}

/// What a device keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tokens {
    pub(crate) access_token: String,
    pub(crate) refresh_token: String,
    pub(crate) expires_in: u64,
}
