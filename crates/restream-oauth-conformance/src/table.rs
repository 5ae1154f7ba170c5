//! The table, in the order of a call: reaching the server, whole answers, answers that break off, framing, and limits
//! of size and time.

mod answers;
mod breaks;
mod framing;
mod limits;
mod reaching;
mod why;

use crate::scenario::Scenario;

/// Returns all scenarios.
///
/// ```
/// use restream_oauth_conformance::table;
///
/// assert!(table().iter().all(|scenario| !scenario.cases.is_empty()));
/// ```
pub fn table() -> Vec<Scenario> {
    let mut scenarios = reaching::scenarios();
    scenarios.extend(answers::scenarios());
    scenarios.extend(breaks::scenarios());
    scenarios.extend(framing::scenarios());
    scenarios.extend(limits::scenarios());
    scenarios
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_scenario_has_a_name_of_its_own_and_at_least_one_case() {
        let mut names = HashSet::new();
        for scenario in table() {
            assert!(names.insert(scenario.name), "{}", scenario.name);
            assert!(!scenario.cases.is_empty(), "{}", scenario.name);
        }
    }

    #[test]
    fn no_stack_has_two_differences_in_one_scenario() {
        for scenario in table() {
            let mut stacks = HashSet::new();
            let differing = scenario.differences.iter().flat_map(|difference| difference.stacks);
            assert!(differing.into_iter().all(|stack| stacks.insert(stack)), "{}", scenario.name);
        }
    }
}
