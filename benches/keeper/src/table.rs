//! The run as Markdown, which is readable in a terminal too.

use restream_oauth_benches::table::{aligned, grouped, machine};

use crate::results::{Figures, Results};
use crate::rows::{self, Row, Unit};

const HEADINGS: [&str; 7] = ["", "ours", "the peer", "peer", "ours of the peer", "goal", ""];

/// The machine, and a line for each row that was measured.
pub fn markdown(results: &Results) -> String {
    let mut lines = vec![HEADINGS.map(str::to_owned)];
    lines.extend(rows::all().iter().filter_map(|row| cells(row, results)));
    format!("{}\n{}", machine(&results.machine), aligned(&lines))
}

fn cells(row: &Row, results: &Results) -> Option<[String; 7]> {
    let result = results.row(row.id)?;
    let peer = result.peer.as_ref();
    let met = row.share.is_none_or(|most| result.share().is_some_and(|share| share <= most))
        && row.most.is_none_or(|most| result.ours.median <= most);
    Some([
        row.title.to_owned(),
        shown(row, &result.ours),
        row.peer.to_owned(),
        peer.map_or("–".to_owned(), |peer| shown(row, peer)),
        result.share().map_or("–".to_owned(), times),
        goal(row),
        if met { "met" } else { "**not met**" }.to_owned(),
    ])
}

fn goal(row: &Row) -> String {
    let share = row.share.map(|share| format!("≤ {}", times(share)));
    let most = row.most.map(|most| format!("≤ {}", number(row.unit, most)));
    share.into_iter().chain(most).collect::<Vec<_>>().join(", ")
}

/// `0.05 ×`, or `3.5 ×`.
fn times(share: f64) -> String {
    if share < 0.1 { format!("{share:.3} ×") } else { format!("{share:.2} ×") }
}

/// The median, and the range that holds eight samples of ten, unless the figure is exact.
fn shown(row: &Row, figures: &Figures) -> String {
    let Figures { median, low, high } = *figures;
    if row.is_exact {
        return number(row.unit, median);
    }
    format!("{} ({}–{})", number(row.unit, median), bare(row.unit, low), bare(row.unit, high))
}

fn number(unit: Unit, figure: f64) -> String {
    let unit_name = match unit {
        Unit::Nanoseconds => " ns",
        Unit::Microseconds => " µs",
        Unit::Bytes => " B",
        Unit::Crates => "",
    };
    bare(unit, figure) + unit_name
}

fn bare(unit: Unit, figure: f64) -> String {
    match unit {
        Unit::Nanoseconds if figure < 100.0 => format!("{figure:.1}"),
        Unit::Microseconds => whole(figure / 1000.0),
        _ => whole(figure),
    }
}

fn whole(figure: f64) -> String {
    // `Duration` checks the range. A cast of a float would not.
    grouped(std::time::Duration::from_secs_f64(figure.round()).as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_their_units() {
        for (unit, figure, text) in [
            (Unit::Nanoseconds, 1.26, "1.3 ns"),
            (Unit::Nanoseconds, 1226.0, "1,226 ns"),
            (Unit::Microseconds, 438_200.0, "438 µs"),
            (Unit::Bytes, 299.6, "300 B"),
            (Unit::Crates, 6.0, "6"),
        ] {
            assert_eq!(number(unit, figure), text);
        }
    }
}
