//! One device: the login that it came from, its code until it is redeemed, and its handle from then on.
//!
//! ```text
//!   callback ──▶ code ──▶ handle ──▶ forgotten (90 days without a use: the grant is not revoked)
//!                 │         │
//!                 │         └──▶ ended (revoked, `devices end`, or its code came twice) ──▶ grant revoked, forgotten
//!                 └──▶ ended (nobody redeemed it within a minute) ──▶ grant revoked, forgotten
//! ```

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::key::{DeviceId, Hash, Key};

/// How long a code can be redeemed (RFC 6749 §4.1.2 recommends ten minutes at most).
pub const CODE_LIFE: Duration = Duration::from_secs(60);
/// How long a redeemed code is remembered, so that a second use is noticed.
const CODE_MEMORY: Duration = Duration::from_secs(600);
/// A handle that nobody uses ends after 90 days.
pub const LONGEST_IDLE: Duration = Duration::from_secs(90 * DAY);
/// A day, in seconds.
const DAY: u64 = 86_400;
/// A use is written down if the last one that was written is this old.
const BETWEEN_USES: Duration = Duration::from_secs(60);

/// Whom a code and a handle are bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// A device that came through OBS's door, which checks no client identifier.
    Obs,
    /// A client of the plain door, by its identifier.
    Client(String),
}

impl Owner {
    /// The client identifier, for logs and lists: that of OBS's door is `obs`.
    pub fn client_id(&self) -> &str {
        match self {
            Self::Obs => "obs",
            Self::Client(id) => id,
        }
    }
}

/// What a code of the plain door is bound to, besides its client (RFC 6749 §4.1.3, RFC 7636 §4.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeBinding {
    /// The redirect URI that the code went to.
    pub redirect_uri: String,
    /// The S256 challenge: 43 characters of base64url.
    pub code_challenge: String,
}

impl CodeBinding {
    /// True if the redirect URI is the same, and the verifier the one of the challenge.
    fn matches(&self, redirect_uri: &str, code_verifier: &str) -> bool {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(code_verifier));
        self.redirect_uri == redirect_uri && bool::from(challenge.as_bytes().ct_eq(self.code_challenge.as_bytes()))
    }
}

/// One device, as it is stored. It holds hashes of secrets, and no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its identifier, and the name of its grant.
    pub id: DeviceId,
    /// Counts the changes. A store replaces a device only if the stored one has the number that the writer read.
    pub revision: u64,
    /// Whom its code and its handle are bound to.
    pub owner: Owner,
    /// The scopes that Restream granted, separated by spaces.
    pub scope: Option<String>,
    /// When the user came back from Restream.
    pub created_at: SystemTime,
    /// When its handle was last used, within a minute.
    pub last_used_at: SystemTime,
    /// The access token that it was given last. So `/revoke` finds the device by it, and the broker knows that a device
    /// asks for a token that it has.
    pub given: Option<Hash>,
    /// The generation of that token in its grant. An instance of the broker that knows only an older one has to read the
    /// grant again.
    pub generation: Option<u64>,
    pub(super) stage: Stage,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The code is on its way.
    Code(Code),
    /// The code was redeemed at `redeemed_at`.
    Handle { handle: Hash, code: Code, redeemed_at: SystemTime },
    /// Nothing is given out any more, and the grant is to be revoked.
    Ended,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Code {
    pub(super) hash: Hash,
    /// `None` at OBS's door: OBS sends neither a redirect URI nor a verifier.
    pub(super) binding: Option<CodeBinding>,
}

/// What came of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redemption {
    /// It is redeemed, and the device has its handle.
    Granted,
    /// It is unknown, has expired, or is bound to something else. Nothing has changed.
    Refused,
    /// It came twice, and so it was stolen (RFC 6749 §10.5). The device has ended.
    Twice,
}

/// What is to be done with a device, although nobody asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Nothing.
    Nothing,
    /// Its grant is to be revoked: it ended, or nobody redeemed its code.
    Revoke,
    /// It is to be forgotten without a revocation: nobody has used its handle for 90 days.
    Forget,
}

impl Device {
    /// The device of a login that has just come back, with the code that it is about to get.
    pub fn new(code: &Key, owner: Owner, binding: Option<CodeBinding>, scope: Option<String>, now: SystemTime) -> Self {
        let code_record = Code { hash: code.hash(), binding };
        Self {
            id: code.id(),
            revision: 0,
            owner,
            scope,
            created_at: now,
            last_used_at: now,
            given: None,
            generation: None,
            stage: Stage::Code(code_record),
        }
    }

    /// True if this code could be redeemed now. Changes nothing.
    pub fn can_redeem(&self, code: &Key, owner: &Owner, shown: Shown<'_>, now: SystemTime) -> bool {
        matches!(&self.stage, Stage::Code(own) if own.is(code, shown))
            && self.owner == *owner
            && since(self.created_at, now) < CODE_LIFE
    }

    /// Redeems a code for a handle.
    ///
    /// A code that comes again ends the device, if everything that it is bound to matches: then the one who sent it is the
    /// device, or has stolen everything from it.
    pub fn redeem(&mut self, code: &Key, owner: &Owner, shown: Shown<'_>, handle: &Key, now: SystemTime) -> Redemption {
        if self.can_redeem(code, owner, shown, now) {
            let Stage::Code(code) = &self.stage else { return Redemption::Refused };
            self.stage = Stage::Handle { handle: handle.hash(), code: code.clone(), redeemed_at: now };
            self.last_used_at = now;
            return Redemption::Granted;
        }
        match &self.stage {
            Stage::Handle { code: own, redeemed_at, .. }
                if own.is(code, shown) && self.owner == *owner && since(*redeemed_at, now) < CODE_MEMORY =>
            {
                self.end();
                Redemption::Twice
            }
            _ => Redemption::Refused,
        }
    }

    /// True if this is the handle of the device, it is bound to this owner, and it has not ended.
    pub fn accepts(&self, handle: &Key, owner: &Owner, now: SystemTime) -> bool {
        matches!(&self.stage, Stage::Handle { handle: own, .. } if *own == handle.hash())
            && self.owner == *owner
            && self.due(now) == Due::Nothing
    }

    /// True if the device has a handle that has not ended.
    pub fn is_living(&self, now: SystemTime) -> bool {
        matches!(self.stage, Stage::Handle { .. }) && self.due(now) == Due::Nothing
    }

    /// Notes that the device was given this access token of this generation. Returns true if that is worth a write: the token is another one,
    /// or the last use that was written is a minute old.
    pub fn note_use(&mut self, access_token: Hash, generation: u64, now: SystemTime) -> bool {
        let is_news = self.given != Some(access_token) || since(self.last_used_at, now) >= BETWEEN_USES;
        if is_news {
            self.given = Some(access_token);
            self.generation = Some(generation);
            self.last_used_at = now;
        }
        is_news
    }

    /// Ends the device: from now on nothing is given out, and its grant is to be revoked.
    pub fn end(&mut self) {
        self.stage = Stage::Ended;
    }

    /// True if it has ended.
    pub fn has_ended(&self) -> bool {
        self.stage == Stage::Ended
    }

    /// When somebody has to look at the device, although nobody asks for it. For a handle it is the end of the day (of
    /// UTC) on which it becomes due, so that a use seldom changes it.
    pub(super) fn due_at(&self) -> SystemTime {
        let later = |time: SystemTime, by: Duration| time.checked_add(by).unwrap_or(time);
        match self.stage {
            Stage::Ended => self.created_at,
            Stage::Code(_) => later(self.created_at, CODE_LIFE),
            Stage::Handle { .. } => {
                let idle = later(self.last_used_at, LONGEST_IDLE);
                let into_day = since(SystemTime::UNIX_EPOCH, idle).as_secs().checked_rem(DAY).unwrap_or_default();
                later(idle, Duration::from_secs(DAY.saturating_sub(into_day)))
            }
        }
    }

    /// What is to be done with the device, although nobody asks for it.
    pub fn due(&self, now: SystemTime) -> Due {
        match self.stage {
            Stage::Ended => Due::Revoke,
            Stage::Code(_) if since(self.created_at, now) >= CODE_LIFE => Due::Revoke,
            Stage::Handle { .. } if since(self.last_used_at, now) >= LONGEST_IDLE => Due::Forget,
            Stage::Code(_) | Stage::Handle { .. } => Due::Nothing,
        }
    }
}

/// What came with a code: the redirect URI and the verifier, or nothing at OBS's door.
pub type Shown<'a> = Option<(&'a str, &'a str)>;

impl Code {
    fn is(&self, code: &Key, shown: Shown<'_>) -> bool {
        let bound = match (&self.binding, shown) {
            (None, None) => true,
            (Some(binding), Some((redirect_uri, code_verifier))) => binding.matches(redirect_uri, code_verifier),
            _ => false,
        };
        self.hash == code.hash() && bound
    }
}

/// How long ago something was. A time that is yet to come was just now: a clock was set back.
fn since(then: SystemTime, now: SystemTime) -> Duration {
    now.duration_since(then).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7636 appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    const CALLBACK: &str = "https://overlay.example/callback";

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + seconds)
    }

    fn key(random: u8) -> Key {
        Key::new(DeviceId::from([1; 16]), [random; 32])
    }

    fn overlay() -> Owner {
        Owner::Client("overlay".into())
    }

    fn with_code() -> Device {
        let binding = CodeBinding { redirect_uri: CALLBACK.into(), code_challenge: CHALLENGE.into() };
        Device::new(&key(1), overlay(), Some(binding), None, at(0))
    }

    fn redeem(device: &mut Device, seconds: u64) -> Redemption {
        device.redeem(&key(1), &overlay(), Some((CALLBACK, VERIFIER)), &key(2), at(seconds))
    }

    #[test]
    fn a_code_gives_a_handle_within_a_minute() {
        let mut device = with_code();
        assert!(!device.accepts(&key(2), &overlay(), at(1)));
        assert_eq!(redeem(&mut device, 59), Redemption::Granted);
        assert!(device.accepts(&key(2), &overlay(), at(60)));
        assert!(device.is_living(at(60)));
        let mut late = with_code();
        assert_eq!(redeem(&mut late, 60), Redemption::Refused);
        assert_eq!(late.due(at(60)), Due::Revoke);
        assert_eq!(late.due(at(59)), Due::Nothing);
    }

    /// RFC 6749 §4.1.3, RFC 7636 §4.6.
    #[test]
    fn a_code_is_bound_to_its_client_its_redirect_uri_and_its_challenge() {
        let wrong = [
            (key(9), overlay(), Some((CALLBACK, VERIFIER))),
            (key(1), Owner::Client("other".into()), Some((CALLBACK, VERIFIER))),
            (key(1), Owner::Obs, Some((CALLBACK, VERIFIER))),
            (key(1), Owner::Obs, None),
            (key(1), overlay(), None),
            (key(1), overlay(), Some(("https://overlay.example/callback/", VERIFIER))),
            (key(1), overlay(), Some((CALLBACK, "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXj"))),
            (key(1), overlay(), Some((CALLBACK, CHALLENGE))),
        ];
        let mut device = with_code();
        for (code, owner, shown) in &wrong {
            assert_eq!(device.redeem(code, owner, *shown, &key(2), at(1)), Redemption::Refused, "{owner:?} {shown:?}");
        }
        assert_eq!(device, with_code(), "a guess changes nothing");
        assert_eq!(redeem(&mut device, 1), Redemption::Granted);
        let redeemed = device.clone();
        for (code, owner, shown) in &wrong {
            assert_eq!(device.redeem(code, owner, *shown, &key(3), at(2)), Redemption::Refused, "{owner:?} {shown:?}");
        }
        assert_eq!(device, redeemed, "a guess ends no handle");
    }

    /// RFC 6749 §10.5.
    #[test]
    fn a_code_that_comes_twice_ends_its_handle_and_is_forgotten_after_ten_minutes() {
        let mut device = with_code();
        redeem(&mut device, 10);
        assert_eq!(redeem(&mut device.clone(), 610), Redemption::Refused);
        assert_eq!(redeem(&mut device, 609), Redemption::Twice);
        assert!(!device.accepts(&key(2), &overlay(), at(609)));
        assert_eq!(device.due(at(609)), Due::Revoke);
        assert_eq!(redeem(&mut device, 609), Redemption::Refused, "it has ended already");
    }

    #[test]
    fn at_obs_s_door_the_code_alone_counts() {
        let mut device = Device::new(&key(1), Owner::Obs, None, None, at(0));
        assert_eq!(device.redeem(&key(1), &overlay(), None, &key(2), at(1)), Redemption::Refused);
        assert_eq!(
            device.redeem(&key(1), &Owner::Obs, Some((CALLBACK, VERIFIER)), &key(2), at(1)),
            Redemption::Refused
        );
        assert_eq!(device.redeem(&key(1), &Owner::Obs, None, &key(2), at(1)), Redemption::Granted);
        assert!(device.accepts(&key(2), &Owner::Obs, at(2)));
        assert_eq!(device.redeem(&key(1), &Owner::Obs, None, &key(3), at(2)), Redemption::Twice);
    }

    #[test]
    fn a_handle_is_bound_to_its_client_and_no_other_secret_is_one() {
        let mut device = with_code();
        redeem(&mut device, 1);
        assert!(!device.accepts(&key(2), &Owner::Client("other".into()), at(2)));
        assert!(!device.accepts(&key(2), &Owner::Obs, at(2)));
        assert!(!device.accepts(&key(1), &overlay(), at(2)), "a code is no handle");
        assert!(!device.accepts(&key(3), &overlay(), at(2)));
    }

    #[test]
    fn a_handle_ends_after_90_days_without_a_use_and_each_use_counts() {
        let mut device = with_code();
        redeem(&mut device, 0);
        assert!(device.accepts(&key(2), &overlay(), at(90 * DAY - 1)));
        assert!(!device.accepts(&key(2), &overlay(), at(90 * DAY)));
        assert_eq!(device.due(at(90 * DAY)), Due::Forget);
        device.note_use(Hash::of("token"), 1, at(89 * DAY));
        assert!(device.accepts(&key(2), &overlay(), at(178 * DAY)));
    }

    #[test]
    fn a_use_is_written_once_a_minute_and_when_the_token_is_a_new_one() {
        let mut device = with_code();
        redeem(&mut device, 0);
        let (one, other) = (Hash::of("one"), Hash::of("other"));
        assert!(device.note_use(one, 1, at(1)));
        assert!(!device.note_use(one, 1, at(60)));
        assert_eq!(device.last_used_at, at(1));
        assert!(device.note_use(one, 1, at(61)));
        assert!(device.note_use(other, 2, at(62)));
        assert_eq!((device.given, device.last_used_at), (Some(other), at(62)));
    }

    /// `due_at` is never later than the moment at which something is to be done, and not much earlier.
    #[test]
    fn a_device_is_due_at_the_latest_when_it_says() {
        let mut device = with_code();
        assert_eq!(device.due_at(), at(60));
        redeem(&mut device, 7);
        let due_at = device.due_at();
        assert_eq!(device.due(due_at), Due::Forget);
        assert!(due_at > at(7) + LONGEST_IDLE && due_at <= at(7 + DAY) + LONGEST_IDLE, "{due_at:?}");
        // The uses of a day do not change it.
        let first = due_at - LONGEST_IDLE - Duration::from_secs(DAY);
        for seconds in [0, 1, DAY - 1] {
            device.last_used_at = first + Duration::from_secs(seconds);
            assert_eq!(device.due_at(), due_at);
        }
        device.end();
        assert!(device.due_at() <= at(0));
    }

    #[test]
    fn a_clock_that_was_set_back_ends_nothing() {
        let mut device = with_code();
        redeem(&mut device, 1);
        let before = SystemTime::UNIX_EPOCH;
        assert!(device.accepts(&key(2), &overlay(), before));
        assert!(!device.note_use(Hash::of("t"), 1, at(5)) || !device.note_use(Hash::of("t"), 1, before));
    }
}
