//! The text format of Prometheus, version 0.0.4.

use std::fmt::{Display, Write as _};

/// A text that grows family by family. Names, labels and help are constants of ours that need no escapes.
pub(super) struct Text(String);

impl Text {
    pub(super) fn new() -> Self {
        Self(String::new())
    }

    /// Begins a family.
    pub(super) fn family(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP restream_oauth_broker_{name} {help}"));
        self.line(format_args!("# TYPE restream_oauth_broker_{name} {kind}"));
    }

    /// Writes a sample of the family that was begun last.
    pub(super) fn sample(&mut self, name: &str, labels: &[(&str, &dyn Display)], value: impl Display) {
        let mut text = String::new();
        for (number, (label, value)) in labels.iter().enumerate() {
            let begin = if number == 0 { '{' } else { ',' };
            // Writing into a string cannot fail.
            let _ = write!(text, "{begin}{label}=\"{value}\"");
        }
        if !labels.is_empty() {
            text.push('}');
        }
        self.line(format_args!("restream_oauth_broker_{name}{text} {value}"));
    }

    pub(super) fn into_string(self) -> String {
        self.0
    }

    fn line(&mut self, line: impl Display) {
        let _ = writeln!(self.0, "{line}");
    }
}
