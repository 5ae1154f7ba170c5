//! `POST /rejected` on the socket of `keep`, while the refresh for an earlier one is under way.

use crate::keeping::{Keeping, MINUTE, log_in, refreshes, setup, token};

/// How often it is tried. The moment between the mark in the file, which says that a refresh is under way, and the refresh
/// itself is short, so a mistake there shows in one race of three to ten.
const RACES: usize = 12;

#[test]
fn programs_that_come_just_before_the_refresh_is_sent_get_its_token() {
    for race in 0..RACES {
        let setup = setup(60 * MINUTE);
        log_in(&setup, "default");
        let old = token(&setup, "default");
        let keeping = Keeping::start(&setup, &[]);
        assert_eq!(keeping.token(), old);
        let answers: Vec<_> = std::thread::scope(|scope| {
            let racers: Vec<_> = (0..12).map(|_| scope.spawn(|| keeping.reject(&old))).collect();
            racers.into_iter().map(|racer| racer.join().unwrap()).collect()
        });
        keeping.stop().expect(0);
        let new = token(&setup, "default");
        assert_ne!(new, old);
        for answer in answers {
            assert_eq!(answer.status, 200, "race {race}: {answer:?}");
            assert_eq!(answer.json()["access_token"], new, "race {race}");
        }
        assert_eq!(refreshes(&setup), 1);
    }
}
