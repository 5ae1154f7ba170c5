//! The run as a picture: an SVG that follows the reader's choice of a light or a dark page.

use std::fmt::Write as _;

use crate::results::{Results, RowResult};
use crate::rows::Side;
use crate::table::{duration, grouped};

const WIDTH: u32 = 840;
const LEFT: u32 = 250;
/// The length of the longest bar. The space after the bar is for its figure.
const LONGEST: f64 = 420.0;
const TOP: u32 = 64;
const BAR: u32 = 11;
const ROW: u32 = 3 * BAR + 13;
const FOOT: u32 = 30;

const STYLE: &str = "\
text { font: 12px system-ui, sans-serif; fill: #1f2328 }
.title { font-size: 15px; font-weight: 600 }
.small { font-size: 10px; fill: #59636e }
.ours { fill: #0969da } .peer { fill: #afb8c1 } .floor { fill: #d8dee4 }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc } .small { fill: #9198a1 }
  .ours { fill: #4493f8 } .peer { fill: #656c76 } .floor { fill: #3d444d }
}
";

/// The whole picture. The longest bar of each row has the same length: a row compares the sides, and rows cannot be
/// compared with each other.
pub fn svg(results: &Results) -> String {
    let rows = u32::try_from(results.rows.len()).unwrap_or(u32::MAX);
    let height = TOP + rows * ROW + FOOT;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
         height=\"{height}\" role=\"img\" aria-label=\"Time of each task by each side\">\n<style>\n{STYLE}</style>\n"
    );
    text(&mut out, 10, 24, "title", "Time of one task, median (shorter is better)");
    for (side, x) in Side::ALL.into_iter().zip([10, 190, 290]) {
        let _ = writeln!(out, "<rect class=\"{}\" x=\"{x}\" y=\"38\" width=\"10\" height=\"10\"/>", side.name());
        text(&mut out, x + 15, 47, "legend", legend(side));
    }
    for (row, y) in results.rows.iter().zip((TOP..).step_by(ROW as usize)) {
        bars(&mut out, row, y);
    }
    let machine = &results.machine;
    let foot = format!("{} · {}, {} cores · {}", machine.date, machine.processor, machine.cores, machine.rustc);
    text(&mut out, 10, height - 12, "small", &foot);
    out.push_str("</svg>\n");
    out
}

fn legend(side: Side) -> &'static str {
    match side {
        Side::Ours => "restream-oauth-core",
        Side::Peer => "oauth2 5",
        Side::Floor => "floor: by hand, the least that is correct",
    }
}

fn bars(out: &mut String, row: &RowResult, top: u32) {
    text(out, 10, top + 2 * BAR - 1, "row", &row.title);
    let slowest = Side::ALL.map(|side| row.of(side).median_ns).into_iter().fold(0.0, f64::max);
    for (side, y) in Side::ALL.into_iter().zip((top..).step_by(BAR as usize)) {
        let figures = row.of(side);
        let length = figures.median_ns / slowest * LONGEST;
        let _ = writeln!(
            out,
            "<rect class=\"{}\" x=\"{LEFT}\" y=\"{y}\" width=\"{length:.1}\" height=\"{}\"/>",
            side.name(),
            BAR - 1
        );
        let label = format!("{}, {} allocations", duration(figures.median_ns), grouped(figures.allocations));
        let _ = writeln!(
            out,
            "<text class=\"small\" x=\"{:.1}\" y=\"{}\">{label}</text>",
            f64::from(LEFT) + length + 6.0,
            y + BAR - 2
        );
    }
}

fn text(out: &mut String, x: u32, y: u32, class: &str, text: &str) {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(out, "<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{text}</text>");
}
