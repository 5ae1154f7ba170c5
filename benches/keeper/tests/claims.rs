//! The exact figures in `results.json`, which the page of the benches shows, are those of today's code.

use restream_oauth_keeper_benches::file;
use restream_oauth_keeper_benches::live::Counting;
use restream_oauth_keeper_benches::results::Results;
use restream_oauth_keeper_benches::rows::{self, Effort};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// There is one test only, because all threads share the allocator.
#[test]
fn a_grant_takes_as_many_bytes_and_the_keeper_as_many_crates_as_are_claimed() {
    let claimed = Results::load(&file("results.json")).unwrap();
    for row in rows::all().iter().filter(|row| row.is_exact) {
        let measured = row.measure(Effort::QUICK).ours.median;
        let claimed = claimed.row(row.id).unwrap_or_else(|| panic!("{}: not in results.json", row.id)).ours.median;
        // The first allocations of a runtime and a process are shared by all grants.
        assert!((measured - claimed).abs() < 0.5, "{}: {measured}, claimed {claimed}", row.id);
        assert!(row.most.is_none_or(|most| measured <= most), "{}: {measured}", row.id);
    }
}
