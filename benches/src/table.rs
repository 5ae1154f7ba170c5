//! The run as Markdown, which is readable in a terminal too.

use std::fmt::Write as _;
use std::time::Duration;

use crate::goals;
use crate::results::{Figures, Machine, Results, RowResult};

const HEADINGS: [&str; 8] =
    ["", "ours", "`oauth2`", "floor", "faster", "allocations", "bytes allocated", "instructions"];

/// The whole page: machine, rows, goals.
pub fn markdown(results: &Results) -> String {
    let mut out = machine(&results.machine);
    out.push('\n');
    let mut lines = vec![HEADINGS.map(str::to_owned)];
    lines.extend(results.rows.iter().map(cells));
    out.push_str(&aligned(&lines));
    out.push('\n');
    let mut lines = vec![["goal", "reached", ""].map(str::to_owned)];
    lines.extend(goals::judge(results).into_iter().map(|goal| {
        let verdict = if goal.met { "met" } else { "**not met**" };
        [goal.wanted, goal.measured, verdict.to_owned()]
    }));
    out.push_str(&aligned(&lines));
    out
}

/// One line: the machine, the compiler and the crates of a run.
pub fn machine(machine: &Machine) -> String {
    let Machine { date, processor, cores, system, rustc, crates } = machine;
    format!("{date} · {processor}, {cores} cores · {system} · {rustc} · {}\n", crates.join(", "))
}

fn cells(row: &RowResult) -> [String; 8] {
    let each = |cell: fn(&Figures) -> String| [&row.ours, &row.peer, &row.floor].map(cell).join(" · ");
    [
        row.title.clone(),
        time(&row.ours),
        time(&row.peer),
        time(&row.floor),
        format!("{:.1} ×", row.speed_up()),
        each(|side| side.allocations.to_string()),
        each(|side| grouped(side.bytes)),
        each(|side| side.instructions.map_or_else(|| "–".to_owned(), grouped)),
    ]
}

/// The median, and the range that holds eight samples of ten.
fn time(figures: &Figures) -> String {
    let Figures { median_ns, low_ns, high_ns, .. } = figures;
    format!("{} ({}–{})", duration(*median_ns), whole(*low_ns), whole(*high_ns))
}

/// Whole nanoseconds, with their unit.
pub fn duration(nanoseconds: f64) -> String {
    whole(nanoseconds) + " ns"
}

fn whole(nanoseconds: f64) -> String {
    // `Duration` checks the range. A cast of a float would not.
    grouped(Duration::from_secs_f64(nanoseconds.round()).as_secs())
}

/// Digits in groups of three.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A Markdown table whose columns line up. The first column is text, the others are figures.
pub fn aligned<const N: usize>(lines: &[[String; N]]) -> String {
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0).max(3);
    let mut out = String::new();
    for (index, line) in lines.iter().enumerate() {
        for (column, cell) in line.iter().enumerate() {
            let width = width(column);
            let _ = if column == 0 { write!(out, "| {cell:<width$} ") } else { write!(out, "| {cell:>width$} ") };
        }
        out.push_str("|\n");
        if index == 0 {
            for column in 0..N {
                let dashes = "-".repeat(width(column));
                let _ = if column == 0 { write!(out, "| {dashes} ") } else { write!(out, "| {dashes}:") };
            }
            out.push_str("|\n");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped_by_three() {
        let cases = [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")];
        for (number, text) in cases {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn columns_line_up() {
        let lines = [["a".to_owned(), "12345".to_owned()], ["bcde".to_owned(), "6".to_owned()]];
        assert_eq!(aligned(&lines), "| a    | 12345 |\n| ---- | -----:|\n| bcde |     6 |\n");
    }
}
