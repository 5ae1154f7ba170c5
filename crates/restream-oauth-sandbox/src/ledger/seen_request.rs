//! What the ledger keeps of one request.

use std::time::Duration;

use serde_json::{Value, json};

use crate::calendar::rfc3339;
use crate::ledger::oddity::Oddity;
use crate::ledger::uses::RefreshTokenUse;
use crate::restream::client_authentication::{BasicEncoding, ClientAuthentication};

/// The shape of one request, and its outcome. It holds no credentials and no values of parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SeenRequest {
    /// When the request arrived, since the Unix epoch and by the sandbox's clock.
    pub arrived_at: Duration,
    /// The method.
    pub method: String,
    /// The path, without its query.
    pub path: String,
    /// The names of the query's parameters, in their order.
    pub query_parameters: Vec<String>,
    /// The names of the form's parameters, in their order.
    pub form_parameters: Vec<String>,
    /// How the client authenticated.
    pub client_authentication: ClientAuthentication,
    /// How the client encoded the registered credentials for Basic. `None` without Basic, or with other credentials.
    pub basic_encoding: Option<BasicEncoding>,
    /// What is unusual about the request. The sandbox accepts most of it, unless a rule forbids it.
    pub oddities: Vec<Oddity>,
    /// How this refresh token was used before. `None` if the request is no refresh.
    pub refresh_token_use: Option<RefreshTokenUse>,
    /// The names of the headers in lower case, in their order.
    pub headers: Vec<String>,
    /// The value of `Content-Type`.
    pub content_type: Option<String>,
    /// The value of `User-Agent`.
    pub user_agent: Option<String>,
    /// The name of the fault that struck, as in JSON.
    pub fault: Option<&'static str>,
    /// Whether the sandbox has decided on its answer.
    pub answered: bool,
    /// The status of the final answer. `None` before the answer, and for ever if the client receives no whole head.
    pub status: Option<u16>,
}

impl SeenRequest {
    /// What a person who tests a client may want to know, in sentences: the refresh token's earlier uses, then one
    /// sentence for each oddity.
    ///
    /// ```
    /// # use std::io::{Read as _, Write as _};
    /// let sandbox = restream_oauth_sandbox::Sandbox::start()?;
    /// let address = sandbox.base_url().trim_start_matches("http://");
    /// let mut connection = std::net::TcpStream::connect(address)?;
    /// write!(connection, "GET /login HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    /// connection.read_to_end(&mut Vec::new())?;
    /// let notes = sandbox.ledger().requests[0].notes();
    /// assert_eq!(notes, ["There is no `state`: the client cannot recognise a forged callback."]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let use_note = self.refresh_token_use.as_ref().and_then(RefreshTokenUse::note);
        use_note.into_iter().chain(self.oddities.iter().map(|oddity| oddity.note().to_owned())).collect()
    }

    pub(crate) fn to_value(&self) -> Value {
        json!({
            "arrived_at": rfc3339(self.arrived_at),
            "method": self.method,
            "path": self.path,
            "query_parameters": self.query_parameters,
            "form_parameters": self.form_parameters,
            "client_authentication": self.client_authentication.as_str(),
            "basic_encoding": self.basic_encoding.map(BasicEncoding::as_str),
            "oddities": self.oddities.iter().map(|oddity| oddity.as_str()).collect::<Vec<_>>(),
            "refresh_token_use": self.refresh_token_use.as_ref().map(RefreshTokenUse::to_value),
            "notes": self.notes(),
            "headers": self.headers,
            "content_type": self.content_type,
            "user_agent": self.user_agent,
            "fault": self.fault,
            "answered": self.answered,
            "status": self.status,
        })
    }
}
