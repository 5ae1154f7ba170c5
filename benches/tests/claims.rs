//! The allocations in `results.json`, which `README.md` shows, are those of today's code.

use restream_oauth_benches::allocations::Counting;
use restream_oauth_benches::measure::{self, Effort};
use restream_oauth_benches::results::{Results, file};
use restream_oauth_benches::rows;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// There is one test only, because all threads share the allocator.
#[test]
fn each_task_takes_as_many_allocations_as_are_claimed() {
    let claimed = Results::load(&file("results.json")).unwrap();
    for row in rows::all() {
        let measured = measure::row(&row, Effort::QUICK).ours;
        let claimed = &claimed.row(row.id).unwrap_or_else(|| panic!("{}: not in results.json", row.id)).ours;
        let [measured, claimed] = [measured, *claimed].map(|figures| (figures.allocations, figures.bytes));
        assert_eq!(measured, claimed, "{}: (allocations, bytes)", row.id);
    }
}
