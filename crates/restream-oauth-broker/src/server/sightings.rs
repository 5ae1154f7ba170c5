//! Where each handle was last used from. A stolen handle shows in this way: two addresses use it at once.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use crate::devices::DeviceId;

/// Uses from two addresses within this time are "at once". A laptop that changes its network is told of too: that is rare,
/// and a person judges it.
const AT_ONCE: Duration = Duration::from_secs(600);

/// The addresses of the last ten minutes. Bounded by the handles that exist: only uses of a living handle are noted.
#[derive(Debug, Default)]
pub(super) struct Sightings(Mutex<HashMap<DeviceId, Sighting>>);

#[derive(Debug)]
struct Sighting {
    address: IpAddr,
    at: SystemTime,
    is_told: bool,
}

impl Sightings {
    /// Notes a use. Returns the other address, if the handle was used from two at once and that was not said before.
    pub(super) fn note(&self, id: DeviceId, address: IpAddr, now: SystemTime) -> Option<IpAddr> {
        let mut seen = self.seen();
        let sighting = seen.entry(id).or_insert(Sighting { address, at: now, is_told: false });
        let is_at_once = now.duration_since(sighting.at).unwrap_or_default() < AT_ONCE;
        let other = sighting.address;
        let is_news = is_at_once && other != address && !sighting.is_told;
        let is_told = is_at_once && (sighting.is_told || is_news);
        *sighting = Sighting { address, at: now, is_told };
        is_news.then_some(other)
    }

    /// Forgets what is older than ten minutes.
    pub(super) fn forget(&self, now: SystemTime) {
        self.seen().retain(|_, sighting| now.duration_since(sighting.at).unwrap_or_default() < AT_ONCE);
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<DeviceId, Sighting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_addresses_at_once_are_said_once() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let (id, sightings) = (DeviceId::from([1; 16]), Sightings::default());
        let [one, other]: [IpAddr; 2] = ["192.0.2.1", "192.0.2.2"].map(|address| address.parse().unwrap());
        assert_eq!(sightings.note(id, one, at(0)), None);
        assert_eq!(sightings.note(id, one, at(1)), None);
        assert_eq!(sightings.note(id, other, at(2)), Some(one));
        assert_eq!(sightings.note(id, one, at(3)), None, "it was said");
        assert_eq!(sightings.note(id, other, at(603)), None, "an address of ten minutes ago");
        assert_eq!(sightings.note(id, one, at(604)), Some(other));
        sightings.forget(at(604 + 600));
        assert!(sightings.seen().is_empty());
    }
}
