//! The saved form of a record: the saved form of its tokens, with one more member, `keeper`.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use restream_oauth_core::{RefreshToken, SavedError, Tokens};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use crate::record::{
    Death, DeathCause, Doubt, LoginId, Record, Stray, TokenHash, Tombstone, User, hex, promise_of, read_hash,
};

/// The member of the saved form that the core does not know.
const KEEPER: &str = "keeper";

impl Record {
    /// Writes the saved form: one line of JSON. It holds secrets.
    ///
    /// A program that knows only the core's saved form reads the tokens from it, at the top level.
    pub fn to_saved(&self) -> Zeroizing<String> {
        let tokens = self.tokens.to_saved();
        let tokens = tokens.expose_secret();
        let keeper = self.members();
        let salvaged = self.salvaged.as_ref().map_or("", RefreshToken::expose_secret);
        let strays: Vec<_> = self.strays.iter().map(|stray| (stray.generation, stray.tokens.to_saved())).collect();
        let stray_bytes: usize = strays.iter().map(|(_, saved)| saved.expose_secret().len().saturating_add(64)).sum();
        // Memory that holds a secret never grows, because growing leaves a copy behind.
        let escaped = salvaged.len().saturating_mul(6);
        let mut out = Zeroizing::new(String::with_capacity(
            tokens
                .len()
                .saturating_add(keeper.len())
                .saturating_add(escaped)
                .saturating_add(stray_bytes)
                .saturating_add(128),
        ));
        out.push_str(tokens.strip_suffix('}').unwrap_or(tokens));
        out.push_str(",\"keeper\":");
        out.push_str(keeper.strip_suffix('}').unwrap_or(&keeper));
        if !salvaged.is_empty() {
            out.push_str(",\"salvaged\":");
            let text = Zeroizing::new(Value::from(salvaged).to_string());
            out.push_str(&text);
        }
        if !strays.is_empty() {
            out.push_str(",\"strays\":[");
            for (index, (generation, saved)) in strays.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                out.push_str("{\"generation\":");
                out.push_str(&generation.to_string());
                out.push_str(",\"tokens\":");
                out.push_str(saved.expose_secret());
                out.push('}');
            }
            out.push(']');
        }
        out.push_str("}}");
        out
    }

    /// The members without a secret, as a JSON object.
    fn members(&self) -> String {
        let mut members = Map::new();
        members.insert("generation".into(), self.generation.into());
        members.insert("login".into(), hex(&self.login.0).into());
        members.insert("logged_in_at".into(), time(self.logged_in_at));
        if let Some(sent) = &self.sent {
            members.insert("parent".into(), hex(&sent.0).into());
        }
        members.insert("usable_until".into(), time(self.usable_until));
        members.insert("requests".into(), self.requests.into());
        if let Some(not_before) = self.not_before {
            members.insert("run_at".into(), time(not_before));
        }
        if let Some(Doubt { since, sends, in_flight, ended, witnessed, forwarded }) = self.doubt {
            let (ended, forwarded) = (ended.map(time), forwarded.map(time));
            members.insert(
                "doubt".into(),
                json!({
                    "since": time(since), "sends": sends, "in_flight": in_flight, "ended": ended,
                    "witnessed": witnessed, "forwarded": forwarded,
                }),
            );
        }
        if let Some(Death { why, at }) = self.death {
            members.insert("death".into(), json!({"why": death_name(why), "at": time(at)}));
        }
        for (name, is_set) in [("leaving", self.leaving), ("lost_answer", self.lost_answer)] {
            if is_set {
                members.insert(name.into(), true.into());
            }
        }
        if self.refused > 0 {
            members.insert("refused".into(), self.refused.into());
        }
        if let Some(User { id, username }) = &self.user {
            members.insert("user".into(), json!({"id": id, "username": username}));
        }
        Value::from(members).to_string()
    }

    /// Reads a saved form. Tokens that the core alone saved, without the member `keeper`, are generation 0.
    ///
    /// This checks no owner: the keeper compares client and server before it sends anything.
    ///
    /// # Errors
    /// [`SavedError`] if the document does not hold saved tokens, is damaged, or has an unknown version.
    pub fn from_saved(document: impl AsRef<[u8]>) -> Result<Self, SavedError> {
        let document = document.as_ref();
        let tokens = Tokens::from_saved(document)?;
        let document = document.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(document);
        let usable_until = promise_of(&tokens);
        let mut record = Self::of_login(tokens, usable_until);
        if let Some(keeper) = Members::read(document)?.0.get(KEEPER) {
            record.take(&Members::read(keeper.get().as_bytes())?)?;
        }
        Ok(record)
    }

    fn take(&mut self, members: &Members<'_>) -> Result<(), SavedError> {
        self.generation = members.required("generation", Value::as_u64)?;
        self.login = LoginId(members.required("login", read_hash)?);
        self.logged_in_at = members.required("logged_in_at", read_time)?;
        self.sent = members.optional("parent", read_hash)?.map(TokenHash);
        self.usable_until = members.required("usable_until", read_time)?;
        self.requests = members.required("requests", number)?;
        self.not_before = members.optional("run_at", read_time)?;
        if let Some(doubt) = members.object("doubt")? {
            self.doubt = Some(Doubt {
                since: doubt.required("since", read_time)?,
                sends: doubt.required("sends", number)?,
                in_flight: doubt.required("in_flight", Value::as_bool)?,
                ended: doubt.optional("ended", read_time)?,
                witnessed: doubt.required("witnessed", Value::as_bool)?,
                forwarded: doubt.optional("forwarded", read_time)?,
            });
        }
        if let Some(death) = members.object("death")? {
            self.death = Some(Death {
                why: death.required("why", |why| death_of(why.as_str()?))?,
                at: death.required("at", read_time)?,
            });
        }
        self.leaving = members.optional("leaving", Value::as_bool)?.unwrap_or(false);
        self.lost_answer = members.optional("lost_answer", Value::as_bool)?.unwrap_or(false);
        self.refused = members.optional("refused", number)?.unwrap_or(0);
        if let Some(user) = members.object("user")? {
            let text = |value: &Value| value.as_str().map(str::to_owned);
            self.user = Some(User { id: user.required("id", text)?, username: user.optional("username", text)? });
        }
        if let Some(salvaged) = members.0.get("salvaged") {
            self.salvaged = Some(RefreshToken::new(serde_json::from_str::<String>(salvaged.get()).map_err(damaged)?));
        }
        for stray in members.list("strays")? {
            let stray = Members::read(stray.as_bytes())?;
            let tokens = stray.raw("tokens").ok_or(SavedError::Damaged(KEEPER))?;
            self.strays.push(Stray {
                generation: stray.required("generation", Value::as_u64)?,
                tokens: Tokens::from_saved(tokens)?,
            });
        }
        Ok(())
    }
}

/// The members of an object, not yet read, so that no secret among them is copied into memory that is not wiped.
pub(crate) struct Members<'a>(BTreeMap<String, &'a RawValue>);

impl<'a> Members<'a> {
    pub(crate) fn read(object: &'a [u8]) -> Result<Self, SavedError> {
        serde_json::from_slice(object).map(Self).map_err(damaged)
    }

    /// A member that must be there.
    pub(crate) fn required<T>(&self, name: &str, read: impl FnOnce(&Value) -> Option<T>) -> Result<T, SavedError> {
        self.optional(name, read)?.ok_or(SavedError::Damaged(KEEPER))
    }

    /// A member that may be absent or `null`.
    pub(crate) fn optional<T>(
        &self,
        name: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<Option<T>, SavedError> {
        let Some(raw) = self.0.get(name) else { return Ok(None) };
        match serde_json::from_str(raw.get()).map_err(damaged)? {
            Value::Null => Ok(None),
            value => read(&value).map(Some).ok_or(SavedError::Damaged(KEEPER)),
        }
    }

    /// A member that is a document of its own.
    pub(crate) fn raw(&self, name: &str) -> Option<&'a str> {
        self.0.get(name).map(|raw| raw.get())
    }

    /// A member that is a list of documents.
    pub(crate) fn list(&self, name: &str) -> Result<Vec<&'a str>, SavedError> {
        let documents: Vec<&'a RawValue> = match self.raw(name) {
            Some(list) => serde_json::from_str(list).map_err(damaged)?,
            None => Vec::new(),
        };
        Ok(documents.into_iter().map(RawValue::get).collect())
    }

    fn object(&self, name: &str) -> Result<Option<Members<'a>>, SavedError> {
        self.0.get(name).map(|raw| Self::read(raw.get().as_bytes())).transpose()
    }
}

fn number(value: &Value) -> Option<u32> {
    u32::try_from(value.as_u64()?).ok()
}

fn damaged(_: serde_json::Error) -> SavedError {
    SavedError::Damaged(KEEPER)
}

/// A time as Unix milliseconds; negative before 1970.
pub(crate) fn time(time: SystemTime) -> Value {
    let milliseconds = |distance: Duration| i64::try_from(distance.as_millis()).unwrap_or(i64::MAX);
    Value::from(match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(distance) => milliseconds(distance),
        Err(earlier) => milliseconds(earlier.duration()).saturating_neg(),
    })
}

pub(crate) fn read_time(value: &Value) -> Option<SystemTime> {
    let milliseconds = value.as_i64()?;
    let distance = Duration::from_millis(milliseconds.unsigned_abs());
    if milliseconds < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(distance)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(distance)
    }
}

const DEATHS: [(DeathCause, &str); 3] = [
    (DeathCause::Revoked, "revoked"),
    (DeathCause::LostAnswer, "lost_answer"),
    (DeathCause::NoRefreshToken, "no_refresh_token"),
];

fn death_name(why: DeathCause) -> &'static str {
    DEATHS.iter().find(|(cause, _)| *cause == why).map_or("revoked", |(_, name)| name)
}

fn death_of(name: &str) -> Option<DeathCause> {
    DEATHS.iter().find(|(_, known)| *known == name).map(|(cause, _)| *cause)
}

impl Tombstone {
    /// Writes the saved form: one line of JSON, without a secret.
    pub fn to_saved(&self) -> String {
        let Self { login, logged_in_at, generation } = self;
        json!({
            "version": 1, "kind": "tombstone", "login": hex(&login.0), "logged_in_at": time(*logged_in_at),
            "generation": generation,
        })
        .to_string()
    }

    /// Reads a saved form.
    ///
    /// # Errors
    /// [`SavedError`] if the document is no tombstone, or is damaged.
    pub fn from_saved(document: &[u8]) -> Result<Self, SavedError> {
        let document: Value = serde_json::from_slice(document).map_err(|_| SavedError::NotJson)?;
        if document.get("kind").and_then(Value::as_str) != Some("tombstone") {
            return Err(SavedError::OtherKind { expected: "tombstone" });
        }
        Ok(Self {
            login: LoginId(document.get("login").and_then(read_hash).ok_or(SavedError::Damaged("login"))?),
            logged_in_at: document
                .get("logged_in_at")
                .and_then(read_time)
                .ok_or(SavedError::Damaged("logged_in_at"))?,
            generation: document.get("generation").and_then(Value::as_u64).ok_or(SavedError::Damaged("generation"))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::tokens;

    fn full() -> Record {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        Record {
            generation: 7,
            sent: Some(TokenHash([0xAB; 32])),
            not_before: Some(at(5)),
            requests: 3,
            doubt: Some(Doubt {
                since: at(1),
                sends: 2,
                in_flight: true,
                ended: Some(at(3)),
                witnessed: true,
                forwarded: Some(at(4)),
            }),
            death: Some(Death { why: DeathCause::LostAnswer, at: at(9) }),
            leaving: true,
            lost_answer: true,
            refused: 3,
            salvaged: Some(RefreshToken::new("s3cr\"et")),
            strays: vec![Stray { generation: 6, tokens: tokens("as", "rs") }],
            user: Some(User { id: "1".into(), username: None }),
            ..Record::of_login(tokens("a1", "r1"), at(3000))
        }
    }

    #[test]
    fn a_record_is_read_back_as_it_was() {
        for record in [full(), Record::of_login(tokens("a1", "r1"), SystemTime::UNIX_EPOCH)] {
            assert_eq!(Record::from_saved(record.to_saved().as_bytes()).unwrap(), record);
        }
    }

    #[test]
    fn each_time_of_a_record_can_be_moved_to_another_clock() {
        let day = Duration::from_secs(86_400);
        let mut moved = full();
        moved.map_times(|time| time + day);
        // No time of `full` is later than a year: all that begin with 864 and 870 are moved, and nothing else is there.
        let (before, after) = (full().to_saved(), moved.to_saved());
        assert_ne!(before, after);
        let times = |saved: &str| {
            let numbers = saved.split(|it: char| !(it.is_ascii_digit())).filter_map(|it| it.parse::<u64>().ok());
            numbers.collect::<Vec<_>>()
        };
        let moved_by = times(&before).iter().zip(times(&after)).filter(|(before, after)| *before != after).count();
        // Two pairs, the login, the promise, the wait, three of the doubt, and the death.
        assert_eq!(moved_by, 9);
        moved.map_times(|time| time - day);
        assert_eq!(moved, full());
    }

    #[test]
    fn the_memory_of_a_saved_record_never_grows() {
        let saved = full().to_saved();
        let larger =
            Record { strays: vec![Stray { generation: 6, tokens: tokens(&"\"".repeat(500), "rs") }; 9], ..full() };
        for saved in [saved, larger.to_saved()] {
            assert!(saved.capacity() >= saved.len());
        }
    }

    #[test]
    fn the_tokens_alone_are_read_by_the_core() {
        assert_eq!(Tokens::from_saved(full().to_saved().as_bytes()).unwrap(), full().tokens);
    }

    #[test]
    fn tokens_without_the_member_of_the_keeper_are_generation_0() {
        let tokens = tokens("a1", "r1");
        let record = Record::from_saved(tokens.to_saved().expose_secret()).unwrap();
        assert_eq!((record.generation, record.login), (0, LoginId::of(&tokens)));
        assert_eq!(record.usable_until, tokens.expires_at() - Duration::from_secs(60));
    }

    #[test]
    fn a_damaged_member_is_an_error_and_not_a_fresh_start() {
        let saved = full().to_saved();
        for (from, to) in [
            ("\"generation\":7", "\"generation\":-7"),
            ("\"sends\":2", "\"sends\":\"2\""),
            ("\"why\":\"lost_answer\"", "\"why\":\"bad mood\""),
            ("\"login\":\"", "\"login\":\"x"),
            ("\"keeper\":{", "\"keeper\":[],\"other\":{"),
        ] {
            let damaged = saved.replace(from, to);
            assert_ne!(damaged, *saved, "{from}");
            assert!(matches!(Record::from_saved(damaged.as_bytes()), Err(SavedError::Damaged(_))), "{from}");
        }
        assert_eq!(Record::from_saved(&saved.as_bytes()[..saved.len() - 1]), Err(SavedError::NotJson));
    }

    #[test]
    fn a_tombstone_is_read_back_as_it_was() {
        let tombstone = Tombstone { login: LoginId([7; 32]), logged_in_at: SystemTime::UNIX_EPOCH, generation: 3 };
        assert_eq!(Tombstone::from_saved(tombstone.to_saved().as_bytes()), Ok(tombstone));
        assert!(Tombstone::from_saved(full().to_saved().as_bytes()).is_err());
    }

    #[test]
    fn debug_shows_no_token() {
        let shown = format!("{:?}", full());
        for secret in ["\"a1", "\"r1", "s3cr", "\"as", "\"rs"] {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
    }
}
