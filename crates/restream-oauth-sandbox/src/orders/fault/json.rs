//! Reads faults from JSON, for tests in other languages. The parent module's documentation has the table of kinds.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use crate::orders::fault::menu::{BodyFraming, Ending, Endpoint, Fault, Point, Strikes, Times, What};

/// Why a JSON text is not a fault. The message names the member and what was expected there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultError(String);

impl fmt::Display for FaultError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for FaultError {}

impl Fault {
    /// Reads a fault from JSON, as the [module's documentation](crate::fault#json) describes it.
    ///
    /// ```
    /// use restream_oauth_sandbox::{Endpoint, Fault, What};
    ///
    /// let fault = Fault::from_json(r#"{"what":"status", "status":500, "endpoint":"token"}"#)?;
    /// let same = Fault::from_json(r#"{"what":"status", "status":500, "endpoint":"token", "times":1}"#)?;
    /// assert_eq!(fault, same);
    /// # Ok::<(), restream_oauth_sandbox::FaultError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Fails if a member is missing, unknown or of the wrong type. A misspelt order must not go unnoticed.
    pub fn from_json(text: &str) -> Result<Self, FaultError> {
        let value = serde_json::from_str(text).map_err(|error| FaultError(error.to_string()))?;
        let Value::Object(map) = value else {
            return Err(FaultError("expected an object".to_owned()));
        };
        let mut members = Members(map);
        let mut fault = Self::new(read_what(&mut members)?);
        if let Some(endpoint) = members.choice("endpoint", &ENDPOINTS)? {
            fault.endpoint = endpoint;
        }
        if let Some(strikes) = members.choice("strikes", &STRIKES)? {
            fault.strikes = strikes;
        }
        fault.times = match members.0.remove("times") {
            None => fault.times,
            Some(Value::String(always)) if always == "always" => Times::Always,
            Some(count) => count
                .as_u64()
                .and_then(|count| u32::try_from(count).ok())
                .map(Times::Count)
                .ok_or_else(|| expected("times", "a number or \"always\""))?,
        };
        members.finish()?;
        Ok(fault)
    }
}

const ENDPOINTS: [(&str, Endpoint); 4] =
    [("token", Endpoint::Token), ("revoke", Endpoint::Revoke), ("profile", Endpoint::Profile), ("any", Endpoint::Any)];
const STRIKES: [(&str, Strikes); 2] =
    [("before_acting", Strikes::BeforeActing), ("after_acting", Strikes::AfterActing)];
const ENDINGS: [(&str, Ending); 2] = [("close", Ending::Close), ("reset", Ending::Reset)];
const FRAMINGS: [(&str, BodyFraming); 3] =
    [("length", BodyFraming::Length), ("until_close", BodyFraming::UntilClose), ("chunked", BodyFraming::Chunked)];

fn read_what(members: &mut Members) -> Result<What, FaultError> {
    let name = members.text("what")?.ok_or_else(|| expected("what", "the name of a fault"))?;
    Ok(match name.as_str() {
        "status" => {
            let status = members.status()?.ok_or_else(|| expected("status", "a status"))?;
            let body = members.body()?;
            let mut headers = members.headers()?;
            match members.text("content_type")? {
                Some(content_type) if content_type.is_empty() => {}
                Some(content_type) => headers.push(("Content-Type".to_owned(), content_type)),
                None if body.is_empty() => {}
                None => headers.push(("Content-Type".to_owned(), "application/json".to_owned())),
            }
            What::Status { status, headers, body }
        }
        "delay" => What::Delay(members.duration()?.ok_or_else(|| expected("ms", "milliseconds"))?),
        "hang" => What::Hang(members.point()?),
        "drop" => What::Drop { point: members.point()?, ending: members.ending()? },
        "truncate" => What::Truncate {
            after: members.size("after")?.ok_or_else(|| expected("after", "a number of bytes"))?,
            framing: members.choice("framing", &FRAMINGS)?.unwrap_or(BodyFraming::Length),
            ending: members.ending()?,
        },
        "oversize" => What::Oversize {
            bytes: members.number("bytes")?.ok_or_else(|| expected("bytes", "a number of bytes"))?,
            answer_first: members.flag("answer_first")?,
        },
        "endless" => What::Endless { answer_first: members.flag("answer_first")? },
        "drip" => What::Drip {
            bytes: members.size("bytes")?.unwrap_or(1),
            every: members.duration()?.ok_or_else(|| expected("ms", "milliseconds"))?,
        },
        "redirect" => What::Redirect { status: members.status()?.unwrap_or(302), location: members.text("location")? },
        "wrong_length" => What::WrongLength {
            by: members
                .0
                .remove("by")
                .and_then(|by| by.as_i64())
                .ok_or_else(|| expected("by", "a number, negative for shorter"))?,
        },
        "bad_chunk" => What::BadChunk,
        "gzip" => What::Gzip,
        "http10" => What::Http10,
        "informational" => What::Informational {
            status: members.status()?.unwrap_or(103),
            times: match (members.flag("endless")?, members.number("times_sent")?) {
                (true, None) => None,
                (false, times) => Some(times.unwrap_or(1)),
                (true, Some(_)) => return Err(expected("times_sent", "nothing beside `endless`")),
            },
            every: members.duration()?.unwrap_or_default(),
        },
        "switching_protocols" => What::SwitchingProtocols,
        "huge_header" => {
            What::HugeHeader { bytes: members.size("bytes")?.ok_or_else(|| expected("bytes", "a number of bytes"))? }
        }
        "tiny_chunks" => What::TinyChunks,
        "html" => What::html(members.status()?.unwrap_or(200)),
        "bad_json" => What::bad_json(),
        _ => return Err(expected("what", "the name of a fault")),
    })
}

/// The members of the object that have not been read yet.
struct Members(Map<String, Value>);

impl Members {
    fn text(&mut self, name: &str) -> Result<Option<String>, FaultError> {
        match self.0.remove(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(expected(name, "a string")),
        }
    }

    fn number(&mut self, name: &str) -> Result<Option<u64>, FaultError> {
        match self.0.remove(name) {
            None => Ok(None),
            Some(value) => value.as_u64().map(Some).ok_or_else(|| expected(name, "a number")),
        }
    }

    fn size(&mut self, name: &str) -> Result<Option<usize>, FaultError> {
        let size = self.number(name)?.map(usize::try_from).transpose();
        size.map_err(|_| expected(name, "a number that fits"))
    }

    fn flag(&mut self, name: &str) -> Result<bool, FaultError> {
        match self.0.remove(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(_) => Err(expected(name, "true or false")),
        }
    }

    fn choice<T: Copy>(&mut self, name: &str, choices: &[(&str, T)]) -> Result<Option<T>, FaultError> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        let Some((_, value)) = choices.iter().find(|(choice, _)| *choice == text) else {
            let names: Vec<_> = choices.iter().map(|(choice, _)| *choice).collect();
            return Err(expected(name, &names.join(", ")));
        };
        Ok(Some(*value))
    }

    fn duration(&mut self) -> Result<Option<Duration>, FaultError> {
        Ok(self.number("ms")?.map(Duration::from_millis))
    }

    fn status(&mut self) -> Result<Option<u16>, FaultError> {
        let status = self
            .number("status")?
            .map(|status| u16::try_from(status).ok().filter(|status| (100..=999).contains(status)));
        match status {
            None => Ok(None),
            Some(None) => Err(expected("status", "a number of three digits")),
            Some(status) => Ok(status),
        }
    }

    /// The body as text, or as base64 for bytes that are not text.
    fn body(&mut self) -> Result<Vec<u8>, FaultError> {
        match (self.text("body")?, self.text("body_base64")?) {
            (Some(_), Some(_)) => Err(expected("body_base64", "nothing beside `body`")),
            (None, Some(encoded)) => STANDARD.decode(encoded).map_err(|_| expected("body_base64", "base64")),
            (text, None) => Ok(text.unwrap_or_default().into_bytes()),
        }
    }

    fn ending(&mut self) -> Result<Ending, FaultError> {
        Ok(self.choice("ending", &ENDINGS)?.unwrap_or(Ending::Close))
    }

    fn point(&mut self) -> Result<Point, FaultError> {
        let points = [
            ("accept", Point::Accept),
            ("handshake", Point::Handshake),
            ("before_head", Point::BeforeHead),
            ("in_head", Point::InHead),
            ("after_head", Point::AfterHead),
            ("in_body", Point::InBody(self.size("after")?.unwrap_or(0))),
        ];
        self.choice("point", &points)?.ok_or_else(|| expected("point", "a place in the connection"))
    }

    fn headers(&mut self) -> Result<Vec<(String, String)>, FaultError> {
        let map = match self.0.remove("headers") {
            None => return Ok(Vec::new()),
            Some(Value::Object(map)) => map,
            Some(_) => return Err(expected("headers", "an object of strings")),
        };
        map.into_iter()
            .map(|(name, value)| match value {
                Value::String(value) => Ok((name, value)),
                _ => Err(expected("headers", "an object of strings")),
            })
            .collect()
    }

    fn finish(self) -> Result<(), FaultError> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(unknown) => Err(FaultError(format!("unknown member `{unknown}`"))),
        }
    }
}

fn expected(member: &str, what: &str) -> FaultError {
    FaultError(format!("`{member}`: expected {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_can_be_ordered_by_its_name() {
        for text in [
            r#"{"what":"status","status":429,"headers":{"Retry-After":"7"},"body":"{}"}"#,
            r#"{"what":"delay","ms":5}"#,
            r#"{"what":"hang","point":"in_body","after":9}"#,
            r#"{"what":"drop","point":"before_head","ending":"reset"}"#,
            r#"{"what":"truncate","after":40,"framing":"chunked","ending":"reset"}"#,
            r#"{"what":"oversize","bytes":1048576,"answer_first":true}"#,
            r#"{"what":"endless"}"#,
            r#"{"what":"drip","bytes":2,"ms":3}"#,
            r#"{"what":"redirect","status":307,"location":"http://127.0.0.1/"}"#,
            r#"{"what":"wrong_length","by":-3}"#,
            r#"{"what":"bad_chunk"}"#,
            r#"{"what":"gzip"}"#,
            r#"{"what":"http10"}"#,
            r#"{"what":"informational","status":102,"times_sent":3}"#,
            r#"{"what":"informational","endless":true,"ms":1}"#,
            r#"{"what":"switching_protocols"}"#,
            r#"{"what":"huge_header","bytes":1048576}"#,
            r#"{"what":"tiny_chunks"}"#,
        ] {
            let fault = Fault::from_json(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert!(text.contains(&format!("\"what\":\"{}\"", fault.what.name())), "{text}");
        }
        assert_eq!(Fault::from_json(r#"{"what":"html"}"#), Ok(Fault::new(What::html(200))));
        assert_eq!(Fault::from_json(r#"{"what":"bad_json"}"#), Ok(Fault::new(What::bad_json())));
    }

    #[test]
    fn endpoint_times_and_strikes_are_read() {
        let fault = Fault::from_json(
            r#"{"what":"status","status":500,"endpoint":"revoke","times":"always","strikes":"after_acting"}"#,
        );
        let expected = Fault::new(What::status(500)).on(Endpoint::Revoke).always().after_acting();
        assert_eq!(fault, Ok(expected));
    }

    #[test]
    fn a_body_in_base64_may_be_any_bytes() {
        let fault = Fault::from_json(r#"{"what":"status","status":200,"body_base64":"/wA=","content_type":"a/b"}"#);
        assert_eq!(fault, Ok(Fault::new(What::body("a/b", [0xff, 0]))));
    }

    #[test]
    fn an_empty_content_type_leaves_the_header_out() {
        let fault = Fault::from_json(r#"{"what":"status","status":200,"body":"{}","content_type":""}"#);
        assert_eq!(fault, Ok(Fault::new(What::Status { status: 200, headers: Vec::new(), body: b"{}".to_vec() })));
    }

    #[test]
    fn a_misspelt_fault_is_an_error_that_names_the_member() {
        for (text, member) in [
            (r#"{"what":"gzip","time":3}"#, "time"),
            (r#"{"what":"status"}"#, "status"),
            (r#"{"what":"status","status":7}"#, "status"),
            (r#"{"what":"status","status":200,"body_base64":"?"}"#, "body_base64"),
            (r#"{"what":"status","status":200,"body":"","body_base64":""}"#, "body_base64"),
            (r#"{"what":"gzip","endpoint":"login"}"#, "endpoint"),
            (r#"{"what":"drop","point":"nowhere"}"#, "point"),
            (r#"{"what":"nothing"}"#, "what"),
            (r#"{"what":"gzip","times":-1}"#, "times"),
        ] {
            let message = Fault::from_json(text).unwrap_err().to_string();
            assert!(message.contains(&format!("`{member}`")), "{message}");
        }
        assert!(Fault::from_json("[]").is_err());
    }
}
