//! The URL as a QR code for a terminal, so that a browser on a phone can open it.

use qrcodegen::{QrCode, QrCodeEcc};

/// The light modules around the code that ISO/IEC 18004 asks for.
const QUIET_ZONE: i32 = 4;

/// A QR code as lines of text. Light modules are drawn and dark ones are left empty, as for a dark terminal.
pub(crate) struct Drawing {
    pub(crate) lines: Vec<String>,
    /// The width of each line, in columns.
    pub(crate) width: usize,
}

/// Draws a QR code of `text`, two rows of modules in each line. Returns `None` if it is too long for a QR code (2,953
/// bytes).
pub(crate) fn draw(text: &str) -> Option<Drawing> {
    let code = QrCode::encode_text(text, QrCodeEcc::Low).ok()?;
    let end = code.size().saturating_add(QUIET_ZONE);
    let range = || -QUIET_ZONE..end;
    // Modules outside the code are light.
    let is_light = |column, row| !code.get_module(column, row);
    let two_modules = |column, row: i32| match (is_light(column, row), is_light(column, row.saturating_add(1))) {
        (true, true) => '█',
        (true, false) => '▀',
        (false, true) => '▄',
        (false, false) => ' ',
    };
    let lines = range().step_by(2).map(|row| range().map(|column| two_modules(column, row)).collect()).collect();
    Some(Drawing { lines, width: range().count() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a drawing with a library that has no code in common with the one that made it.
    fn read(drawing: &Drawing) -> String {
        const PIXELS: usize = 3;
        let rows: Vec<Vec<char>> = drawing.lines.iter().map(|line| line.chars().collect()).collect();
        assert!(rows.iter().all(|row| row.len() == drawing.width));
        let grey = |x: usize, y: usize| {
            let module = rows[y / PIXELS / 2][x / PIXELS];
            let light = if (y / PIXELS).is_multiple_of(2) { "█▀" } else { "█▄" };
            if light.contains(module) { 255 } else { 0 }
        };
        let (width, height) = (drawing.width * PIXELS, rows.len() * 2 * PIXELS);
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, height, grey);
        let [grid] = image.detect_grids().try_into().unwrap_or_else(|_| panic!("it is not one QR code"));
        grid.decode().unwrap().1
    }

    #[test]
    fn a_scanner_reads_the_url() {
        for length in [0, 1, 100, 300, 1000] {
            let url = format!("https://api.restream.io/login?response_type=code&state={}", "aZ9-_".repeat(length / 5));
            assert_eq!(read(&draw(&url).unwrap()), url);
        }
    }

    #[test]
    fn the_url_of_a_usual_login_fits_a_terminal_of_80_columns() {
        assert!(draw(&"x".repeat(400)).unwrap().width <= 80);
        assert!(draw(&"x".repeat(2954)).is_none());
    }
}
