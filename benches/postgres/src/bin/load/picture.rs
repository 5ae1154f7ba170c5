//! A run as a picture: what was seen over time, and when something failed.

use std::fmt::Write as _;

use crate::report::Report;
use crate::sample::{Sample, count, rate};

const WIDTH: f64 = 860.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 60.0;
const PANEL: f64 = 110.0;
const GAP: f64 = 46.0;

const STYLE: &str = "\
text { font: 12px system-ui, sans-serif; fill: #1f2328 }
.title { font-size: 15px; font-weight: 600 }
.small { font-size: 10px; fill: #59636e }
.line { fill: none; stroke: #0969da; stroke-width: 1.5 }
.axis { stroke: #d8dee4 } .mark { stroke: #c0392b; stroke-dasharray: 3 3 }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc } .small { fill: #9198a1 } .line { stroke: #4493f8 } .axis { stroke: #3d444d }
}
";

/// Draws the run.
pub(crate) fn svg(report: &Report<'_>) -> String {
    let (samples, grants) = (&report.end.samples, f64::from(report.settings.grants));
    let length = samples.last().map_or(1.0, |last| last.at.as_secs_f64()).max(1.0);
    let panels = [
        ("rotations a second", rates(samples)),
        ("access tokens that have expired", values(samples, |it| Some(count(it.expired + it.expired_before_refresh)))),
        ("grants whose refresh is half a minute late", values(samples, |it| Some(count(it.database.as_ref()?.late)))),
        (
            "bytes a grant on the disk",
            values(samples, |it| {
                Some(count(u64::try_from(it.database.as_ref()?.bytes / 1024).ok()?) * 1024.0 / grants)
            }),
        ),
    ];
    let height = TOP + (PANEL + GAP) * 4.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         role=\"img\" aria-label=\"The load run over time\">\n<style>\n{STYLE}</style>\n\
         <text class=\"title\" x=\"10\" y=\"24\">{} warm grants with lifetimes of {} s, two workers</text>\n",
        report.settings.grants,
        report.settings.lifetime.as_secs(),
    );
    let x = |seconds: f64| LEFT + (WIDTH - LEFT - RIGHT) * seconds / length;
    for (row, (title, points)) in (0_u8..).zip(&panels) {
        let bottom = TOP + (PANEL + GAP) * f64::from(row) + PANEL;
        let most = points.iter().map(|point| point.1).fold(1.0, f64::max);
        let _ = writeln!(svg, "<text x=\"{LEFT}\" y=\"{}\">{title}</text>", bottom - PANEL - 6.0);
        let _ = writeln!(svg, "<text class=\"small\" x=\"6\" y=\"{}\">{most:.0}</text>", bottom - PANEL + 8.0);
        let _ = writeln!(svg, "<text class=\"small\" x=\"6\" y=\"{bottom}\">0</text>");
        let _ = writeln!(
            svg,
            "<line class=\"axis\" x1=\"{LEFT}\" y1=\"{bottom}\" x2=\"{}\" y2=\"{bottom}\"/>",
            WIDTH - RIGHT
        );
        for (at, what) in &report.end.marks {
            let at = x(at.as_secs_f64());
            let _ = writeln!(
                svg,
                "<line class=\"mark\" x1=\"{at:.1}\" y1=\"{}\" x2=\"{at:.1}\" y2=\"{bottom}\"><title>{what}</title></line>",
                bottom - PANEL
            );
        }
        let line: Vec<_> =
            points.iter().map(|(at, value)| format!("{:.1},{:.1}", x(*at), bottom - PANEL * value / most)).collect();
        let _ = writeln!(svg, "<polyline class=\"line\" points=\"{}\"/>", line.join(" "));
    }
    for ((at, what), y) in report.end.marks.iter().zip([38, 50].into_iter().cycle()) {
        let _ = writeln!(
            svg,
            "<text class=\"small\" x=\"{:.1}\" y=\"{y}\" text-anchor=\"middle\">{what}</text>",
            x(at.as_secs_f64())
        );
    }
    let _ = writeln!(svg, "<text class=\"small\" x=\"{LEFT}\" y=\"{}\">0 to {length:.0} s</text>", height - 26.0);
    svg.push_str("</svg>\n");
    svg
}

fn values(samples: &[Sample], value: impl Fn(&Sample) -> Option<f64>) -> Vec<(f64, f64)> {
    samples.iter().filter_map(|sample| Some((sample.at.as_secs_f64(), value(sample)?))).collect()
}

/// The rate between one sample and the one before it.
fn rates(samples: &[Sample]) -> Vec<(f64, f64)> {
    samples
        .windows(2)
        .filter_map(|pair| match pair {
            [before, after] => Some((after.at.as_secs_f64(), rate(before, after))),
            _ => None,
        })
        .collect()
}
