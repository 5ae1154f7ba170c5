use proptest::prelude::*;

use super::*;

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn the_rate_holds_on_average() {
    let mut pace = Pace::new(20.0, s(10));
    let mut sent = 0;
    let mut now = s(0);
    while now < s(60) {
        match pace.take(Urgency::Background, Attempt::First, now) {
            Ok(()) => sent += 1,
            Err(wait) => now += wait,
        }
    }
    assert!((1200..=1221).contains(&sent), "{sent}");
}

/// Lets this many grants ask for one request each, from the same moment on. Returns when each was sent.
fn served(pace: &mut Pace, grants: u64, until: Duration) -> Vec<Duration> {
    let mut waiting: std::collections::BinaryHeap<_> =
        (0..grants).map(|grant| std::cmp::Reverse((s(0), grant))).collect();
    let mut served = Vec::new();
    while let Some(std::cmp::Reverse((now, grant))) = waiting.pop().filter(|next| next.0.0 < until) {
        match pace.take(Urgency::Wanted, Attempt::First, now) {
            Ok(()) => served.push(now),
            Err(wait) => waiting.push(std::cmp::Reverse((now + wait, grant))),
        }
    }
    served
}

#[test]
fn everybody_in_a_long_queue_is_served_as_fast_as_the_rate_allows() {
    let served = served(&mut Pace::new(20.0, s(10)), 3000, s(1000));
    assert_eq!(served.len(), 3000);
    assert!(*served.last().unwrap() < s(165), "{:?}", served.last());
}

#[test]
fn a_long_queue_that_gave_up_holds_up_nobody() {
    let mut pace = Pace::new(20.0, s(10));
    served(&mut pace, 20_000, s(100));
    // Nobody of them waits any more. The next ones find a full bucket, and a little later an empty one.
    let mut longest = s(0);
    for _ in 0..30 {
        longest = longest.max(pace.take(Urgency::Wanted, Attempt::First, s(103)).err().unwrap_or_default());
    }
    assert!(longest <= s(31), "{longest:?}");
}

#[test]
fn an_empty_bucket_uses_up_no_test_of_the_breaker() {
    let mut pace = Pace::new(1.0, s(10));
    for number in 0..3 {
        pace.ended(number, Ending::Doubt, s(1));
    }
    assert!(pace.is_open(s(1)));
    assert_eq!(pace.take(Urgency::Wanted, Attempt::First, s(6)), Ok(()));
    let wait = pace.take(Urgency::Replay, Attempt::Retry, s(6)).unwrap_err();
    assert!(wait < s(2), "{wait:?}: the test is still to come");
    assert_eq!(pace.take(Urgency::Replay, Attempt::Retry, s(6) + wait), Ok(()));
}

/// Lets grants that all failed at the start retry as soon as they may, and a request take a second. Each retry fails
/// until the server heals. Returns when each retry was sent, and when the last grant was done.
fn retried(pace: &mut Pace, grants: u32, heals: Duration, until: Duration) -> (Vec<Duration>, Duration) {
    let mut events: std::collections::BinaryHeap<_> =
        (0..grants).map(|grant| std::cmp::Reverse((s(0), grant, None))).collect();
    let (mut sent, mut last) = (Vec::new(), s(0));
    while let Some(std::cmp::Reverse((now, grant, ends))) = events.pop().filter(|next| next.0.0 < until) {
        match ends {
            Some(true) => {
                pace.ended(grant, Ending::Good, now);
                last = now;
            }
            Some(false) => {
                pace.ended(grant, Ending::NotSent, now);
                events.push(std::cmp::Reverse((now, grant, None)));
            }
            None => match pace.take(Urgency::Background, Attempt::Retry, now) {
                Ok(()) => {
                    sent.push(now);
                    events.push(std::cmp::Reverse((now + s(1), grant, Some(now >= heals))));
                }
                Err(wait) => events.push(std::cmp::Reverse((now + wait, grant, None))),
            },
        }
    }
    (sent, last)
}

#[test]
fn when_everything_fails_retries_come_at_a_tenth_of_the_rate() {
    let mut pace = Pace::new(20.0, s(10));
    let (sent, _) = retried(&mut pace, 3000, Duration::MAX, s(600));
    assert!((1290..=1300).contains(&sent.len()), "100 and two a second: {}", sent.len());
    let late = sent.iter().filter(|at| **at >= s(300)).count();
    assert!((595..=601).contains(&late), "{late} in the last 300 s");
    assert!(pace.ran_out_of_retries());
    assert!(!pace.ran_out_of_retries(), "once");
}

#[test]
fn after_an_outage_retries_are_soon_as_fast_as_the_rate_allows() {
    for grants in [1, 30, 3000] {
        let (_, last) = retried(&mut Pace::new(20.0, s(10)), grants, s(600), s(2000));
        assert!(last > s(0) && last < s(600 + 300 + u64::from(grants) / 20), "{grants} grants: {last:?}");
    }
}

#[test]
fn a_first_request_needs_no_quota_of_retries() {
    let mut pace = Pace::new(1000.0, s(10));
    let retries = std::iter::repeat_with(|| pace.take(Urgency::Wanted, Attempt::Retry, s(1)));
    assert_eq!(retries.take_while(Result::is_ok).count(), 100);
    for _ in 0..900 {
        assert_eq!(pace.take(Urgency::Wanted, Attempt::First, s(1)), Ok(()));
    }
}

#[test]
fn a_process_that_cannot_keep_up_sends_what_soon_expires_first() {
    let mut pace = Pace::new(20.0, s(10));
    // A thousand planned refreshes are due at once. Of what soon expires, half of the rate is due from then on.
    let planned = (0..1000_u64).map(|grant| std::cmp::Reverse((s(0), true, grant)));
    let expiring = (0..600).map(|grant| std::cmp::Reverse((s(grant / 10), false, grant)));
    let mut waiting: std::collections::BinaryHeap<_> = planned.chain(expiring).collect();
    let mut sent = [0_u32; 2];
    while let Some(std::cmp::Reverse((now, can_wait, grant))) = waiting.pop().filter(|next| next.0.0 < s(61)) {
        let urgency = if can_wait { Urgency::Background } else { Urgency::Expiring };
        match pace.take(urgency, Attempt::First, now) {
            Ok(()) => {
                sent[usize::from(can_wait)] += 1;
                let due = s(grant / 10);
                assert!(can_wait || now <= due + s(1), "{grant} was due at {due:?} and is sent at {now:?}");
            }
            Err(wait) => waiting.push(std::cmp::Reverse((now + wait, can_wait, grant))),
        }
    }
    assert_eq!(sent[0], 600);
    assert!((600..=640).contains(&sent[1]), "the other half of the rate: {}", sent[1]);
}

#[test]
fn a_success_gives_one_retry_back_and_nothing_else_does() {
    let mut pace = Pace::new(1000.0, s(10));
    while pace.take(Urgency::Wanted, Attempt::Retry, s(1)).is_ok() {}
    for ending in [Ending::Refused, Ending::Doubt, Ending::NotSent] {
        pace.ended(1, ending, s(1));
        assert!(pace.take(Urgency::Wanted, Attempt::Retry, s(1)).is_err(), "{ending:?}");
    }
    pace.ended(1, Ending::Good, s(1));
    assert_eq!(pace.take(Urgency::Wanted, Attempt::Retry, s(1)), Ok(()));
    assert!(pace.take(Urgency::Wanted, Attempt::Retry, s(1)).is_err());
    pace.give_back(Attempt::Retry);
    assert_eq!(pace.take(Urgency::Wanted, Attempt::Retry, s(1)), Ok(()));
}

#[test]
fn a_used_up_quota_uses_up_no_test_of_the_breaker() {
    let mut pace = Pace::new(20.0, s(10));
    for number in 0..3 {
        pace.ended(number, Ending::Doubt, s(1));
    }
    assert!(pace.is_open(s(1)));
    pace.retries = Bucket::new(0.0);
    assert!(pace.take(Urgency::Replay, Attempt::Retry, s(6)).is_err());
    pace.retries = Bucket::new(1.0);
    assert_eq!(pace.take(Urgency::Replay, Attempt::Retry, s(6)), Ok(()), "the test is still to come");
}

#[test]
fn the_quota_holds_up_no_replay_of_few_grants_however_low_the_rate() {
    for rate in [0.01, 1.0, 20.0] {
        let mut pace = Pace::new(rate, s(10));
        pace.requests = Bucket::new(f64::MAX); // The quota alone is looked at.
        for replay in crate::doubt::REPLAYS {
            for _ in 0..14 {
                assert_eq!(pace.take(Urgency::Wanted, Attempt::Retry, replay), Ok(()), "{rate} a second, {replay:?}");
            }
        }
    }
}

#[test]
fn the_quota_holds_up_nobody_of_30_grants_that_find_no_network() {
    let mut pace = Pace::new(20.0, s(10));
    pace.requests = Bucket::new(f64::MAX);
    let mut at = s(0);
    for failures in 0..1000 {
        at += crate::doubt::pause_after(failures).min(s(60));
        for _ in 0..30 {
            assert_eq!(pace.take(Urgency::Background, Attempt::Retry, at), Ok(()), "{at:?}");
        }
    }
}

/// What happens to a pace.
#[derive(Clone, Copy, Debug)]
enum Step {
    Pass(u64),
    Take(Urgency, Attempt),
    Ends(Ending),
    SlowDown,
}

fn step() -> impl Strategy<Value = Step> {
    let urgency =
        prop_oneof![Just(Urgency::Wanted), Just(Urgency::Background), Just(Urgency::Expiring), Just(Urgency::Replay)];
    let attempt = prop_oneof![1 => Just(Attempt::First), 3 => Just(Attempt::Retry)];
    let ending = prop_oneof![
        1 => Just(Ending::Good),
        1 => Just(Ending::Refused),
        2 => Just(Ending::Doubt),
        3 => Just(Ending::NotSent)
    ];
    prop_oneof![
        2 => (0..3000_u64).prop_map(Step::Pass),
        8 => (urgency, attempt).prop_map(|(urgency, attempt)| Step::Take(urgency, attempt)),
        4 => ending.prop_map(Step::Ends),
        1 => Just(Step::SlowDown),
    ]
}

proptest! {
    #[test]
    fn no_more_retries_than_successes_and_the_quota_and_a_tenth_of_the_rate(
        rate in 1.0..200.0_f64,
        steps in proptest::collection::vec(step(), 0..600),
    ) {
        let mut pace = Pace::new(rate, s(10));
        let (mut now, mut retries, mut successes) = (Duration::ZERO, 0.0, 0.0);
        for (number, step) in (0..).zip(steps) {
            match step {
                Step::Pass(milliseconds) => now += Duration::from_millis(milliseconds),
                Step::Take(urgency, attempt) => {
                    let taken = pace.take(urgency, attempt, now);
                    retries += f64::from(u8::from(attempt == Attempt::Retry && taken.is_ok()));
                }
                Step::Ends(ending) => {
                    pace.ended(number % 7, ending, now);
                    successes += f64::from(u8::from(ending == Ending::Good));
                }
                Step::SlowDown => pace.slow_down(now),
            }
            let bound = 100.0 + successes + rate / 10.0 * now.as_secs_f64();
            prop_assert!(retries <= bound + 1e-6, "{retries} retries by {now:?}, {successes} successes");
            prop_assert_eq!(pace.doubts, pace.ended.values().filter(|(_, in_doubt)| *in_doubt).count());
        }
        // Whatever happened, one that waits has its turn: of the quota in ten seconds, of the breaker in a minute, of
        // a rate that had shrunk in twenty seconds. It asks when it is told to, and waits half a minute at most.
        let since = now;
        while let Err(wait) = pace.take(Urgency::Replay, Attempt::Retry, now) {
            now += wait;
            prop_assert!(now <= since + s(120), "it waits for ever");
        }
    }
}

#[test]
fn a_busy_server_is_asked_less_often_and_the_rate_grows_back() {
    let mut pace = Pace::new(20.0, s(10));
    for _ in 0..20 {
        pace.slow_down(s(0));
    }
    assert!((pace.rate - 1.0).abs() < 1e-9, "{}", pace.rate);
    pace.count(s(200));
    assert!((pace.rate - 20.0).abs() < 1e-9);
}

#[test]
fn three_doubts_open_the_breaker_for_background_work_alone() {
    let mut pace = Pace::new(20.0, s(10));
    for number in 0..3 {
        pace.ended(number, Ending::Doubt, s(1));
    }
    assert!(pace.is_open(s(1)));
    assert_eq!(pace.take(Urgency::Wanted, Attempt::First, s(1)), Ok(()));
    assert!(pace.take(Urgency::Replay, Attempt::Retry, s(1)).is_err());
    assert!(pace.take(Urgency::Background, Attempt::First, s(1)).is_err());
    assert_eq!(pace.take(Urgency::Expiring, Attempt::First, s(1)), Ok(()), "the trickle");
    assert!(pace.take(Urgency::Expiring, Attempt::First, s(1)).is_err());
}

#[test]
fn two_doubts_or_three_among_many_do_not_open_it() {
    let mut pace = Pace::new(20.0, s(10));
    for number in 0..2 {
        pace.ended(number, Ending::Doubt, s(1));
    }
    assert!(!pace.is_open(s(1)));
    for number in 10..26 {
        pace.ended(number, Ending::Good, s(1));
    }
    pace.ended(99, Ending::Doubt, s(1));
    assert!(!pace.is_open(s(1)), "3 of 19");
    for number in 100..102 {
        pace.ended(number, Ending::Doubt, s(1));
    }
    assert!(pace.is_open(s(1)), "5 of 21");
}

#[test]
fn one_grant_in_doubt_does_not_open_it_however_often_it_is_sent() {
    let mut pace = Pace::new(20.0, s(10));
    for second in 0..20 {
        pace.ended(7, Ending::Doubt, s(second));
    }
    assert!(!pace.is_open(s(20)));
    assert_eq!(pace.order.len(), 20);
    assert!(!pace.is_open(s(60)) && pace.order.is_empty() && pace.ended.is_empty());
}

#[test]
fn a_grant_in_doubt_whose_next_request_is_silent_counts_once() {
    let mut pace = Pace::new(20.0, s(10));
    for number in 0..2 {
        pace.ended(number, Ending::Doubt, s(0));
        pace.sent(number, s(1));
    }
    assert!(!pace.is_open(s(12)));
    pace.sent(2, s(3));
    assert!(pace.is_open(s(13)), "one more");
}

#[test]
fn silence_counts_before_it_ends() {
    let mut pace = Pace::new(20.0, s(10));
    for number in 0..3 {
        pace.sent(number, s(0));
    }
    assert!(!pace.is_open(s(9)));
    assert!(pace.is_open(s(10)));
}

#[test]
fn tests_come_after_growing_pauses_and_one_success_closes_it() {
    let mut pace = Pace::new(20.0, s(10));
    for number in 0..3 {
        pace.ended(number, Ending::Doubt, s(0));
    }
    assert!(pace.is_open(s(0)));
    let mut tests = Vec::new();
    for second in 0..200 {
        if pace.take(Urgency::Replay, Attempt::Retry, s(second)).is_ok() {
            tests.push(second);
        }
    }
    assert_eq!(tests, [5, 10, 20, 35, 55, 80, 110, 145, 185]);
    assert!(pace.ended(9, Ending::Good, s(200)));
    assert!(!pace.is_open(s(200)));
    assert!(!pace.ended(9, Ending::Good, s(200)), "it was closed already");
}

#[test]
fn a_rate_that_makes_no_sense_is_bounded() {
    for rate in [f64::NAN, f64::INFINITY, -1.0, 0.0, 1e300] {
        let mut pace = Pace::new(rate, s(10));
        assert_eq!(pace.take(Urgency::Wanted, Attempt::First, s(0)), Ok(()));
    }
}

#[test]
fn fifty_thousand_warm_grants_are_the_half_of_twenty_a_second() {
    let pace = Pace::new(20.0, s(10));
    assert!(!pace.is_tight(25_000, s(3600)));
    assert!(pace.is_tight(26_000, s(3600)));
}

#[test]
fn a_retry_that_was_taken_for_a_first_request_counts_and_leaves_no_debt() {
    let mut pace = Pace::new(1000.0, s(10));
    pace.retries = Bucket::new(1.0);
    pace.is_a_retry();
    pace.is_a_retry();
    assert!(pace.take(Urgency::Wanted, Attempt::Retry, s(0)).is_err());
    pace.ended(1, Ending::Good, s(0));
    assert_eq!(pace.take(Urgency::Wanted, Attempt::Retry, s(0)), Ok(()));
}

#[test]
fn background_work_waits_while_the_store_is_behind() {
    let mut pace = Pace::new(100.0, s(10));
    for (waiting, held_up, goes_on) in [
        (49, [].as_slice(), [Urgency::Background, Urgency::Expiring, Urgency::Wanted, Urgency::Replay].as_slice()),
        (1, &[Urgency::Background], &[Urgency::Expiring, Urgency::Wanted, Urgency::Replay]),
        (49, &[Urgency::Background], &[Urgency::Expiring, Urgency::Wanted, Urgency::Replay]),
        (1, &[Urgency::Background, Urgency::Expiring], &[Urgency::Wanted, Urgency::Replay]),
    ] {
        for _ in 0..waiting {
            pace.waits_for_store(false, true);
        }
        for urgency in held_up {
            let waits: Vec<_> = (0..10).map(|_| pace.take(*urgency, Attempt::First, s(10)).unwrap_err()).collect();
            assert!(waits.is_sorted_by(|one, next| one < next), "each has a place of its own: {waits:?}");
            assert!(*waits.last().unwrap() < s(1), "{waits:?}");
        }
        for urgency in goes_on {
            assert_eq!(pace.take(*urgency, Attempt::First, s(10)), Ok(()), "{urgency:?}");
        }
    }
    pace.waits_for_store(true, true);
    assert!(pace.take(Urgency::Expiring, Attempt::First, s(10)).is_err(), "the next operation of the same grant");
    pace.waits_for_store(true, false);
    assert_eq!(pace.take(Urgency::Expiring, Attempt::First, s(10)), Ok(()));
}

#[test]
fn a_few_operations_are_no_sign_of_a_slow_store() {
    let mut pace = Pace::new(1.0, s(10));
    for _ in 0..31 {
        pace.waits_for_store(false, true);
    }
    assert_eq!(pace.take(Urgency::Background, Attempt::First, s(1)), Ok(()));
}
