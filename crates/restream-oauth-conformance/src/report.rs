//! The table in Markdown: a row for each scenario, a column for each stack, and every difference with its reason.

use std::fmt::Write as _;

use crate::outcome::Outcome;
use crate::scenario::{Difference, Scenario};

/// Writes the table in Markdown, with a numbered list of the differences below. `failed` has the names of stack and
/// scenario of each cell that failed in a run.
pub fn markdown(scenarios: &[Scenario], stacks: &[&str], failed: &[(&str, &str)]) -> String {
    let mut text = format!("| scenario | {} |\n|---|{}\n", stacks.join(" | "), "---|".repeat(stacks.len()));
    let mut notes: Vec<String> = Vec::new();
    for scenario in scenarios {
        let _ = write!(text, "| {} |", scenario.name);
        for stack in stacks {
            let cell = match (scenario.is_not_for(stack), scenario.difference_of(stack)) {
                _ if failed.contains(&(*stack, scenario.name)) => "FAILED".to_owned(),
                (Some(why), _) => why.to_owned(),
                (None, None) => "passed".to_owned(),
                (None, Some(difference)) => format!("[{}]", number_of(difference, &mut notes)),
            };
            let _ = write!(text, " {cell} |");
        }
        text.push('\n');
    }
    text.push('\n');
    for (number, note) in (1_usize..).zip(&notes) {
        let _ = writeln!(text, "{number}. {note}");
    }
    text
}

/// Returns the number of a difference's note. Differences with the same reason and the same outcomes share a note. The
/// note leaves out the advice, which follows from the delivery and the step.
fn number_of(difference: &Difference, notes: &mut Vec<String>) -> usize {
    let described = |outcome: &Outcome| match outcome {
        Outcome::Done => "done".to_owned(),
        Outcome::Failed { kind, delivery, .. } => format!("{kind}; {delivery}"),
    };
    let outcomes: Vec<_> = difference.expected.iter().map(described).collect();
    let note = format!("{} Reported: {}.", difference.why, outcomes.join(", or "));
    let known = notes.iter().position(|known| *known == note);
    known.map_or_else(
        || {
            notes.push(note);
            notes.len()
        },
        |at| at.saturating_add(1),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::in_doubt;
    use crate::scenario::Server;
    use crate::stack::{CURL, HYPER, TCP};
    use restream_oauth_core::transport::FailureKind;

    #[test]
    fn a_difference_is_listed_once_with_a_number_and_a_failed_cell_says_so() {
        let differing =
            |name| Scenario::new(name).but(&[CURL], [in_doubt(FailureKind::Other)], "It is another program.");
        let another = Scenario::new("four").but(&[CURL], [in_doubt(FailureKind::Other)], "It dreams.");
        let two = Scenario::new("two").against(Server::Nowhere);
        let expected = "\
            | scenario | hyper | TcpStream | curl |\n\
            |---|---|---|---|\n\
            | one | passed | passed | [1] |\n\
            | two | passed | no TLS | passed |\n\
            | three | passed | FAILED | [1] |\n\
            | four | passed | passed | [2] |\n\n\
            1. It is another program. Reported: the HTTP stack failed; the server may have acted on it.\n\
            2. It dreams. Reported: the HTTP stack failed; the server may have acted on it.\n";
        let scenarios = [differing("one"), two, differing("three"), another];
        assert_eq!(markdown(&scenarios, &[HYPER, TCP, CURL], &[(TCP, "three")]), expected);
    }
}
