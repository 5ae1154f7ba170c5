//! Whether the broker can serve.

use http::StatusCode;
use serde_json::json;

/// What a load balancer or a supervisor asks for.
///
/// **The broker must not be stopped while a pair is in memory alone**: it would be lost. So it then answers 200 even if
/// its store fails, because some supervisors stop what answers anything else.
///
/// ```
/// use restream_oauth_broker::metrics::Health;
///
/// let health = Health { store_fails: true, ..Health::default() };
/// assert_eq!(health.status_code(), 503);
/// assert_eq!(health.to_json(), r#"{"status":"store_fails"}"#);
/// assert_eq!(Health { stranded: 1, ..health }.status_code(), 200);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// The broker was told to stop, and takes no new work.
    pub is_stopping: bool,
    /// The last operation on the store failed.
    pub store_fails: bool,
    /// How many new pairs are in memory alone, because the store failed after they arrived.
    pub stranded: u64,
}

impl Health {
    /// The status of the response: 200 or 503.
    pub fn status_code(&self) -> StatusCode {
        let can_serve = self.stranded > 0 || !(self.is_stopping || self.store_fails);
        if can_serve { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
    }

    /// The body of the response: an object whose `status` is `ok`, `stranded`, `stopping` or `store_fails`; with
    /// `stranded`, how many pairs are in memory alone.
    pub fn to_json(&self) -> String {
        let body = match self {
            Self { stranded: 1.., .. } => json!({"status": "stranded", "stranded": self.stranded}),
            Self { is_stopping: true, .. } => json!({"status": "stopping"}),
            Self { store_fails: true, .. } => json!({"status": "store_fails"}),
            Self { .. } => json!({"status": "ok"}),
        };
        body.to_string()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn only_a_broker_that_may_be_stopped_says_that_it_cannot_serve() {
        for (is_stopping, store_fails, stranded, code, status) in [
            (false, false, 0, 200, "ok"),
            (true, false, 0, 503, "stopping"),
            (false, true, 0, 503, "store_fails"),
            (true, true, 0, 503, "stopping"),
            (false, true, 2, 200, "stranded"),
            (true, true, 2, 200, "stranded"),
        ] {
            let health = Health { is_stopping, store_fails, stranded };
            let body: Value = serde_json::from_str(&health.to_json()).unwrap();
            assert_eq!((health.status_code().as_u16(), body["status"].as_str()), (code, Some(status)), "{health:?}");
        }
    }
}
