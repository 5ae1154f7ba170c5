use proptest::prelude::*;

use super::*;

fn rate(per_second: u32) -> NonZeroU32 {
    NonZeroU32::new(per_second).unwrap()
}

fn rates(per_device: u32, per_address: u32) -> Rates {
    Rates { per_device: rate(per_device), per_address: rate(per_address) }
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn a_burst_is_four_times_the_rate() {
    let mut limits = Limits::new(rates(10, 50));
    let now = Instant::now();
    for _ in 0..40 {
        assert_eq!(limits.admit_device("d", now), Ok(()));
    }
    let refused = Refused { limit: Limit::Device, retry_after: Duration::from_millis(100) };
    assert_eq!(limits.admit_device("d", now), Err(refused));
    assert_eq!(limits.admit_device("another", now), Ok(()));
}

#[test]
fn addresses_of_one_ipv6_network_share_a_bucket_and_ipv4_addresses_do_not() {
    for (one, other, same) in [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", true),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", false),
        ("192.0.2.1", "192.0.2.2", false),
        ("192.0.2.1", "::ffff:192.0.2.1", true),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", false),
    ] {
        assert_eq!(Group::of(address(one)) == Group::of(address(other)), same, "{one} {other}");
    }
}

#[test]
fn retry_after_is_rounded_up_to_whole_seconds() {
    for (nanoseconds, seconds) in [(1, 1), (1_000_000_000, 1), (1_000_000_001, 2), (4_000_000_000, 4)] {
        let refused = Refused { limit: Limit::Address, retry_after: Duration::from_nanos(nanoseconds) };
        assert_eq!(refused.retry_after_seconds(), seconds, "{nanoseconds}");
    }
}

/// 200,000 new addresses in two seconds: the one that was there keeps its empty bucket, and its rate.
#[test]
fn a_flood_of_new_addresses_neither_pushes_out_nor_slows_the_others() {
    let mut limits = Limits::new(rates(10, 50));
    let (known, start) = (address("192.0.2.1"), Instant::now());
    for _ in 0..200 {
        limits.admit_address(known, start).unwrap();
    }
    let mut admitted = 0;
    for number in 0..200_000_u32 {
        let now = start + Duration::from_micros(u64::from(number) * 10);
        assert_eq!(limits.admit_address(IpAddr::from((0x0A00_0000 + number).to_be_bytes()), now), Ok(()), "{number}");
        if number % 100 == 0 {
            admitted += u32::from(limits.admit_address(known, now).is_ok());
        }
        // At 100,000 requests a second 2,000 buckets are not full, because each is full again after 20 ms.
        assert!(limits.addresses.full_at.len() <= 2_002, "{}", limits.addresses.full_at.len());
    }
    // It asked 1,000 times a second, and got 50: 100 in two seconds.
    assert!((99..=100).contains(&admitted), "{admitted}");
}

#[test]
fn a_full_table_refuses_newcomers_alone_and_only_until_a_bucket_is_full() {
    let mut buckets = Buckets::new(rate(1), 3);
    let now = Instant::now();
    for key in 1..=3 {
        assert_eq!(buckets.take(key, now + Duration::from_millis(key)), Ok(()));
    }
    let now = now + Duration::from_millis(4);
    assert_eq!(buckets.take(4, now), Err(Duration::from_millis(997)));
    assert_eq!(buckets.take(2, now), Ok(()), "whoever is in the table goes on");
    assert_eq!(buckets.take(4, now + Duration::from_millis(997)), Ok(()));
    assert_eq!(buckets.full_at.len(), 3);
    assert!(!buckets.full_at.contains_key(&1), "the oldest full bucket went");
}

#[test]
fn a_clock_that_stands_still_or_goes_back_gives_nobody_more() {
    let mut buckets = Buckets::new(rate(1), 3);
    let start = Instant::now();
    let now = start + Duration::from_secs(100);
    assert_eq!((0..20).filter(|_| buckets.take(1, now).is_ok()).count(), 4);
    assert_eq!((0..100).filter(|seconds| buckets.take(1, start + Duration::from_secs(*seconds)).is_ok()).count(), 0);
}

/// The textbook's bucket: tokens are counted, in parts that are a nanosecond's worth.
struct Textbook {
    interval: u64,
    parts: u64,
    at: u64,
}

impl Textbook {
    fn take(&mut self, now: u64, rate: u32) -> bool {
        self.parts = (self.parts + (now - self.at)).min(u64::from(rate) * 4 * self.interval);
        self.at = now;
        let is_allowed = self.parts >= self.interval;
        self.parts -= if is_allowed { self.interval } else { 0 };
        is_allowed
    }
}

proptest! {
    #[test]
    fn every_key_gets_what_a_textbook_bucket_gives_it(
        rate_per_second in 1_u32..2_000,
        requests in prop::collection::vec((0_u64..5, 0_u64..300_000_000), 1..400),
    ) {
        let mut buckets = Buckets::new(rate(rate_per_second), LARGEST_TABLE);
        let interval = 1_000_000_000 / u64::from(rate_per_second);
        let mut textbook: HashMap<u64, Textbook> = HashMap::new();
        let (start, mut now) = (Instant::now(), 0);
        for (key, gap) in requests {
            now += gap;
            let full = Textbook { interval, parts: u64::from(rate_per_second) * 4 * interval, at: now };
            let expected = textbook.entry(key).or_insert(full).take(now, rate_per_second);
            prop_assert_eq!(buckets.take(key, start + Duration::from_nanos(now)).is_ok(), expected);
            prop_assert_eq!(buckets.full_at.len(), buckets.in_order.len());
        }
    }

    #[test]
    fn a_refusal_says_to_the_nanosecond_when_to_come_again(per_second in 1_u32..2_000, gap in 0_u64..1_000_000) {
        let start = Instant::now();
        let mut buckets = Buckets::new(rate(per_second), LARGEST_TABLE);
        let mut now = start;
        let wait = loop {
            match buckets.take(7, now) {
                Ok(()) => now += Duration::from_nanos(gap.min(100_000_000 / u64::from(per_second))),
                Err(wait) => break wait,
            }
        };
        prop_assert!(buckets.take(7, now + wait.saturating_sub(Duration::from_nanos(1))).is_err());
        prop_assert!(buckets.take(7, now + wait).is_ok());
    }

    #[test]
    fn the_table_stays_within_its_bound(keys in prop::collection::vec((0_u64..50, 0_u64..50_000_000), 1..300)) {
        let mut buckets = Buckets::new(rate(5), 8);
        let mut now = Instant::now();
        for (key, gap) in keys {
            now += Duration::from_nanos(gap);
            let _ = buckets.take(key, now);
            prop_assert!(buckets.full_at.len() <= 8);
            prop_assert_eq!(buckets.full_at.len(), buckets.in_order.len());
        }
    }
}
