//! How many requests a device and an address may send: a token bucket each, filled at a fixed rate.
//!
//! A bucket holds four times as many tokens as it gets in a second, and a request takes one. The time comes from the
//! caller, so nothing here reads a clock.
//!
//! **Bounded memory.** Only buckets that are not full are stored: a full one is the same as one that nobody has used, so
//! it is forgotten, the oldest first. A flood from new addresses therefore pushes no bucket out that still counts. At most
//! [`LARGEST_TABLE`] buckets of a kind are stored. With the default rates the table fills up only at 3.2 million requests a
//! second from addresses (650,000 from devices). Then whoever is in the table goes on as before, and others are refused
//! until a bucket is full.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

/// How many buckets of one kind are stored at most. A table of this size takes about 6 MB.
pub const LARGEST_TABLE: usize = 65_536;
/// How many seconds of its rate a bucket holds.
const BURST_SECONDS: u32 = 4;

/// How many requests a second are allowed in the long run. Four times as many may come at once.
///
/// ```
/// use std::num::NonZeroU32;
/// use restream_oauth_broker::limits::Rates;
///
/// let rates = Rates { per_device: NonZeroU32::MIN, ..Rates::default() };
/// assert_eq!(rates.per_address.get(), 50);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// Requests a second from one device: 10 unless set. A device is a handle.
    pub per_device: NonZeroU32,
    /// Requests a second from one IPv4 address, or from one IPv6 network of 64 bits: 50 unless set.
    pub per_address: NonZeroU32,
}

impl Default for Rates {
    fn default() -> Self {
        // `NonZeroU32::new` would give options.
        const TEN: NonZeroU32 = NonZeroU32::MIN.saturating_add(9);
        const FIFTY: NonZeroU32 = NonZeroU32::MIN.saturating_add(49);
        Self { per_device: TEN, per_address: FIFTY }
    }
}

/// Which limit a request ran into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// That of the device.
    Device,
    /// That of the address.
    Address,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Device => "device",
            Self::Address => "address",
        })
    }
}

/// A request that is over a limit. Nothing may be done for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The limit.
    pub limit: Limit,
    /// The time from now until a request is allowed, if no other comes before. Never zero.
    pub retry_after: Duration,
}

impl Refused {
    /// The value of `Retry-After` (RFC 9110 §10.2.3): whole seconds, rounded up.
    ///
    /// ```
    /// use std::time::Duration;
    /// use restream_oauth_broker::limits::{Limit, Refused};
    ///
    /// let refused = Refused { limit: Limit::Device, retry_after: Duration::from_millis(100) };
    /// assert_eq!(refused.retry_after_seconds(), 1);
    /// ```
    pub fn retry_after_seconds(&self) -> u64 {
        let whole = self.retry_after.as_secs();
        if self.retry_after.subsec_nanos() == 0 { whole } else { whole.saturating_add(1) }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "too many requests from this {}: wait for {} s", self.limit, self.retry_after_seconds())
    }
}

impl std::error::Error for Refused {}

/// The buckets of all devices and addresses.
///
/// ```
/// use std::net::{IpAddr, Ipv4Addr};
/// use std::time::{Duration, Instant};
/// use restream_oauth_broker::limits::{Limit, Limits, Rates};
///
/// let mut limits = Limits::new(Rates::default());
/// let (address, now) = (IpAddr::V4(Ipv4Addr::LOCALHOST), Instant::now());
/// for _ in 0..200 {
///     limits.admit_address(address, now)?;
/// }
/// let refused = limits.admit_address(address, now).unwrap_err();
/// assert_eq!((refused.limit, refused.retry_after), (Limit::Address, Duration::from_millis(20)));
/// limits.admit_address(address, now + refused.retry_after)?;
/// # Ok::<(), restream_oauth_broker::limits::Refused>(())
/// ```
pub struct Limits {
    devices: Buckets,
    addresses: Buckets,
    /// Turns what identifies an asker into a key of fixed size. It is seeded at random, so nobody can aim at a key.
    keys: RandomState,
}

impl Limits {
    /// Begins with full buckets.
    pub fn new(rates: Rates) -> Self {
        Self {
            devices: Buckets::new(rates.per_device, LARGEST_TABLE),
            addresses: Buckets::new(rates.per_address, LARGEST_TABLE),
            keys: RandomState::new(),
        }
    }

    /// Counts a request from an address.
    ///
    /// # Errors
    /// [`Refused`] if the address is over its limit. The request is not counted then.
    pub fn admit_address(&mut self, address: IpAddr, now: Instant) -> Result<(), Refused> {
        let key = self.keys.hash_one(Group::of(address));
        self.addresses.take(key, now).map_err(|retry_after| Refused { limit: Limit::Address, retry_after })
    }

    /// Counts a request from a device. `device` is whatever identifies it, such as the hash of its handle.
    ///
    /// # Errors
    /// [`Refused`] if the device is over its limit. The request is not counted then.
    pub fn admit_device(&mut self, device: impl Hash, now: Instant) -> Result<(), Refused> {
        let key = self.keys.hash_one(device);
        self.devices.take(key, now).map_err(|retry_after| Refused { limit: Limit::Device, retry_after })
    }
}

impl fmt::Debug for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limits")
            .field("devices", &self.devices.full_at.len())
            .field("addresses", &self.addresses.full_at.len())
            .finish_non_exhaustive()
    }
}

/// The addresses that share a bucket. A network of 64 bits is what one household gets in IPv6.
#[derive(Hash, PartialEq, Eq, Debug)]
enum Group {
    V4([u8; 4]),
    V6([u16; 4]),
}

impl Group {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.octets()),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Self::V6([a, b, c, d])
            }
        }
    }
}

/// Token buckets, each described by the time at which it will be full (the "generic cell rate algorithm").
struct Buckets {
    /// The time in which a bucket gets one token.
    interval: Duration,
    /// The time in which a bucket gets all its tokens but one. A bucket that needs longer to be full is empty.
    tolerance: Duration,
    largest: usize,
    full_at: HashMap<u64, Instant>,
    /// The same in the order of time.
    in_order: BTreeSet<(Instant, u64)>,
}

impl Buckets {
    fn new(rate: NonZeroU32, largest: usize) -> Self {
        let interval = Duration::from_secs(1).checked_div(rate.get()).unwrap_or_default();
        let tokens = rate.get().saturating_mul(BURST_SECONDS);
        Self {
            interval,
            tolerance: interval.saturating_mul(tokens.saturating_sub(1)),
            largest,
            full_at: HashMap::new(),
            in_order: BTreeSet::new(),
        }
    }

    /// Takes a token from a bucket, or says how long to wait for one.
    fn take(&mut self, key: u64, now: Instant) -> Result<(), Duration> {
        self.forget_full(now);
        let stored = self.full_at.get(&key).copied();
        let full_at = stored.map_or(now, |at| at.max(now));
        let wait = full_at.duration_since(now).saturating_sub(self.tolerance);
        if !wait.is_zero() {
            return Err(wait);
        }
        if stored.is_none() && self.full_at.len() >= self.largest {
            return Err(self.until_first_is_full(now));
        }
        if let Some(at) = stored {
            self.in_order.remove(&(at, key));
        }
        // A time that cannot be represented is centuries away.
        let next = full_at.checked_add(self.interval).unwrap_or(full_at);
        self.full_at.insert(key, next);
        self.in_order.insert((next, key));
        Ok(())
    }

    /// Forgets two full buckets at most. A request stores one at most, so those that are left get fewer, and no request
    /// waits for a long tidying.
    fn forget_full(&mut self, now: Instant) {
        for _ in 0..2 {
            let Some(&(at, key)) = self.in_order.first() else { return };
            if at > now {
                return;
            }
            self.in_order.pop_first();
            self.full_at.remove(&key);
        }
    }

    fn until_first_is_full(&self, now: Instant) -> Duration {
        let first = self.in_order.first().map_or(now, |(at, _)| *at);
        first.saturating_duration_since(now).max(Duration::from_nanos(1))
    }
}

#[cfg(test)]
mod tests;
