//! Opens the user's browser: an external one (RFC 8252 §8.12). The URL is one that we built. It is one argument, and no
//! shell is used.

use std::ffi::OsString;
use std::process::{Command, Stdio};

use crate::configuration::SECRET_VARIABLE;
use crate::database::chosen::KEYS_VARIABLE;
use crate::login::environment;
use crate::tokens::place::DATABASE_VARIABLE;

/// Opens `url`. Returns false if no browser could be started, or if it could only start where nobody sees it.
pub(crate) fn open(url: &str) -> bool {
    is_harmless(url) && openers().into_iter().any(|opener| start(opener, url))
}

/// True if `url` is a web address without characters that our URLs never hold, or that a shell would act on: the
/// program that opens it may use a shell. `&` and `?` are allowed, because a URL with a query needs them.
fn is_harmless(url: &str) -> bool {
    let web = url.starts_with("https://") || url.starts_with("http://");
    web && url.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"'`$\\<>|;(){}!".contains(&byte))
}

struct Opener {
    program: OsString,
    arguments: &'static [&'static str],
}

/// Returns the programs to try: `$BROWSER` if it is a plain name or path, then the system's own. A remote session has a
/// browser only if it has a display; else the system's opener would start one in the terminal.
fn openers() -> Vec<Opener> {
    let named = std::env::var("BROWSER").ok().filter(|name| is_plain_program(name));
    let named = named.map(|program| Opener { program: program.into(), arguments: &[] });
    let has_display = ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| environment::is_set(name));
    let system = if environment::is_remote() && !has_display { Vec::new() } else { system_openers() };
    named.into_iter().chain(system).collect()
}

/// True if `name` is one word, and no template, list or option. Anything else would have to be parsed as a shell does.
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
        .env_remove(KEYS_VARIABLE)
        .env_remove(DATABASE_VARIABLE)
        .env_remove("PGPASSWORD")
        // xdg-open would expand this variable as a template.
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
    fn only_plain_urls_are_opened() {
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
    fn a_browser_variable_with_a_template_or_a_list_is_ignored() {
        for name in ["firefox", "/usr/bin/google-chrome-stable", "w3m"] {
            assert!(is_plain_program(name), "{name}");
        }
        for name in ["", "sh -c %s", "firefox:chromium", "%s", "-x", "a;b", "$(id)"] {
            assert!(!is_plain_program(name), "{name}");
        }
    }
}
