//! The losses as a picture.

use std::fmt::Write as _;

use crate::study::Study;

const WIDTH: u32 = 860;
const ROW: u32 = 46;
const LEFT: u32 = 20;

/// Draws the losses per million device-months as bars, on a logarithmic scale: what could have been avoided in front,
/// what was eaten for everyone behind.
pub fn picture(study: &Study) -> String {
    let height = ROW * study.rows.len() as u32 + 70;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" font-family=\"sans-serif\" \
         font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"{LEFT}\" y=\"24\" font-size=\"15\">Grants lost per million device-months (logarithmic)</text>\n"
    );
    for (row, (policy, sum)) in study.rows.iter().enumerate() {
        let y = 44 + ROW * row as u32;
        let a_million = |count: u64| count as f64 * 1e6 / sum.device_months.max(1e-9);
        let (avoidable, eaten) = (a_million(sum.avoidable), a_million(sum.eaten));
        let _ = writeln!(svg, "<text x=\"{LEFT}\" y=\"{}\">{policy}</text>", y + 10);
        for (offset, value, color, what) in
            [(16, avoidable, "#c0392b", "avoidable"), (26, eaten, "#95a5a6", "eaten for everyone")]
        {
            let width = length(value);
            let (top, middle, x) = (y + offset, y + offset + 8, LEFT + width + 6);
            let _ = writeln!(svg, "<rect x=\"{LEFT}\" y=\"{top}\" width=\"{width}\" height=\"8\" fill=\"{color}\"/>");
            let _ = writeln!(svg, "<text x=\"{x}\" y=\"{middle}\" font-size=\"10\">{value:.0} {what}</text>");
        }
    }
    svg.push_str("</svg>\n");
    svg
}

/// 1 is short, 10,000,000 is the width of the picture.
fn length(value: f64) -> u32 {
    let share = (value.max(0.0) + 1.0).log10() / 7.0;
    (share.min(1.0) * f64::from(WIDTH - 220)) as u32
}
