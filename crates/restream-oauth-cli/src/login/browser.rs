//! Opening the user's browser: an external one (RFC 8252 §8.12), with a URL that we built, as one argument, never
//! through a shell.

use std::ffi::OsString;
use std::process::{Command, Stdio};

use crate::configuration::SECRET_VARIABLE;

/// Opens `url`; false if that cannot be done, so that the caller shows the URL instead.
pub(crate) fn open(url: &str) -> bool {
    is_harmless(url) && openers().into_iter().any(|opener| start(opener, url))
}

/// What the URLs that we build never hold, and what means something to a shell, should an opener use one. `&` and `?`
/// stay: no URL with a query lacks them.
fn is_harmless(url: &str) -> bool {
    let web = url.starts_with("https://") || url.starts_with("http://");
    web && url.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"'`$\\<>|;(){}!".contains(&byte))
}

struct Opener {
    program: OsString,
    arguments: &'static [&'static str],
}

/// `$BROWSER` if it is the plain name or path of a program; then the system's way.
fn openers() -> Vec<Opener> {
    let named = std::env::var("BROWSER").ok().filter(|name| is_plain_program(name));
    let named = named.map(|program| Opener { program: program.into(), arguments: &[] });
    named.into_iter().chain(system_openers()).collect()
}

/// One word: no template, no list, no option. Anything else would have to be taken apart as a shell does.
fn is_plain_program(name: &str) -> bool {
    let plain = |character: char| character.is_alphanumeric() || "/-_.+".contains(character);
    !name.is_empty() && !name.starts_with('-') && name.chars().all(plain)
}

fn system_openers() -> Vec<Opener> {
    let (program, arguments): (&str, &[&str]) = if cfg!(target_os = "macos") {
        ("open", &[])
    } else if cfg!(windows) {
        ("rundll32", &["url.dll,FileProtocolHandler"])
    } else {
        ("xdg-open", &[])
    };
    vec![Opener { program: program.into(), arguments }]
}

fn start(opener: Opener, url: &str) -> bool {
    Command::new(opener.program)
        .args(opener.arguments)
        .arg(url)
        .env_remove(SECRET_VARIABLE)
        // xdg-open would expand it as a template.
        .env_remove("BROWSER")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CVE-2025-6514.
    #[test]
    fn only_plain_urls_are_handed_over() {
        assert!(is_harmless("https://api.restream.io/login?response_type=code&state=a_b-c%20d"));
        for url in [
            "file:///etc/passwd",
            "javascript:alert(1)",
            "-option",
            "https://a/ b",
            "https://a/\"",
            "https://a/'",
            "https://a/`id`",
            "https://a/$HOME",
            "https://a/;id",
            "https://a/\n",
        ] {
            assert!(!is_harmless(url), "{url}");
        }
    }

    /// RUSTSEC-2026-0257.
    #[test]
    fn a_browser_variable_that_is_a_template_or_a_list_is_not_used() {
        for name in ["firefox", "/usr/bin/google-chrome-stable", "w3m"] {
            assert!(is_plain_program(name), "{name}");
        }
        for name in ["", "sh -c %s", "firefox:chromium", "%s", "-x", "a;b", "$(id)"] {
            assert!(!is_plain_program(name), "{name}");
        }
    }
}
