//! `login` where no browser reaches the command: over SSH, in a container, in a web IDE. The URL is pasted.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use restream_oauth_core::Tokens;

use crate::support::{Outcome, RunningLogin, Setup, come_back, sandbox, skipped};
use crate::terminal::Terminal;

/// A login whose standard input is a terminal.
fn login_at(terminal: &Terminal, setup: &Setup, more: &[&str]) -> RunningLogin {
    let arguments = [&["login", "--no-browser", "--redirect-uri", &setup.redirect_uri], more].concat();
    RunningLogin::spawn(setup.command(&arguments).stdin(terminal.for_command()))
}

/// A login that opens no port, and whose standard input is a pipe.
fn login_by_pipe(setup: &Setup, more: &[&str]) -> RunningLogin {
    let arguments = [&["login", "--no-browser", "--no-listen", "--redirect-uri", &setup.redirect_uri], more].concat();
    RunningLogin::spawn(setup.command(&arguments).stdin(Stdio::piped()))
}

fn state_of(url: &str) -> String {
    url.split_once("state=").unwrap().1.split('&').next().unwrap().to_owned()
}

fn query_of(url: &str) -> &str {
    url.split_once('?').unwrap().1
}

#[test]
fn a_url_that_is_pasted_while_the_port_is_open_ends_the_login() {
    type Written = fn(&str) -> String;
    let ways: [Written; 4] = [
        str::to_owned,
        |url| query_of(url).to_owned(),
        |url| format!("https://name-8976.app.github.dev/callback?{}", query_of(url)),
        |url| format!("\"https://ide.example/proxy/8976/?{}\"\r", query_of(url)),
    ];
    for written in ways {
        let setup = Setup::new();
        let mut terminal = Terminal::open();
        let mut login = login_at(&terminal, &setup, &[]);
        login.wait_for_words("paste");
        terminal.paste(&written(&setup.sandbox.approve(&login.url).unwrap()));
        let outcome = login.finish().expect(0);
        assert!(Tokens::from_saved(&outcome.stdout).is_ok());
        assert_eq!(setup.sandbox.ledger().exchanges, 1);
        assert!(TcpStream::connect(setup.address).is_err(), "the port is closed");
    }
}

#[test]
fn the_browser_can_come_back_while_a_url_could_be_pasted() {
    let setup = Setup::new();
    let mut terminal = Terminal::open();
    let mut login = login_at(&terminal, &setup, &[]);
    login.wait_for_words("paste");
    terminal.paste("not this");
    login.wait_for_words("this is no URL");
    assert!(come_back(&setup.sandbox.approve(&login.url).unwrap()).starts_with("HTTP/1.1 303"));
    login.finish().expect(0);
}

/// RFC 6749 §10.12.
#[test]
fn what_is_pasted_is_trusted_no_more_than_a_callback() {
    let setup = Setup::new();
    let mut terminal = Terminal::open();
    let mut login = login_at(&terminal, &setup, &[]);
    let callback = setup.sandbox.approve(&login.url).unwrap();
    let own_url = login.url.clone();
    for (line, words) in [
        ("http://127.0.0.1/callback?code=stolen&state=forged", "not trusted"),
        ("code=stolen", "not trusted"),
        ("4f1a", "this is no URL"),
        (&own_url, "holds no code"),
        (&setup.sandbox.deny(&own_url).unwrap(), "the login was denied"),
    ] {
        terminal.paste(line);
        assert!(login.wait_for_words(words).contains("still waiting"), "{line}");
    }
    assert_eq!(setup.token_requests(), 0);
    terminal.paste("");
    terminal.paste(&callback);
    login.finish().expect(0);
    assert_eq!(setup.token_requests(), 1);
}

#[test]
fn a_pasted_oauth_error_with_the_right_state_ends_the_login() {
    let setup = Setup::new();
    let mut terminal = Terminal::open();
    let mut login = login_at(&terminal, &setup, &[]);
    terminal.paste("?error=access_denied&state=forged");
    login.wait_for_words("ignored");
    terminal.paste(&format!("?error=access_denied&state={}", state_of(&login.url)));
    login.finish().expect(5);
}

/// The kernel drops what follows the 4,095th byte of a line, as soon as it comes.
#[test]
fn a_line_that_the_terminal_cut_is_named_as_that_and_its_code_is_not_used() {
    let setup = Setup::new();
    let mut terminal = Terminal::open();
    let mut login = login_at(&terminal, &setup, &[]);
    let callback = setup.sandbox.approve(&login.url).unwrap();
    // The right state, and then a code that is cut.
    terminal.paste(&format!("?state={}&code={}", state_of(&login.url), "x".repeat(5000)));
    let words = login.wait_for_words("4,095 bytes");
    assert!(words.contains("the terminal cut the line") && words.contains("still waiting"), "{words}");
    assert_eq!(setup.token_requests(), 0);
    terminal.paste(&callback);
    login.finish().expect(0);
}

#[test]
fn the_longest_line_that_a_terminal_takes_is_used() {
    let setup = Setup::new();
    let mut terminal = Terminal::open();
    let login = login_at(&terminal, &setup, &[]);
    let callback = format!("{}&more=", setup.sandbox.approve(&login.url).unwrap());
    terminal.paste(&format!("{callback}{}", "x".repeat(4094 - callback.len())));
    login.finish().expect(0);
}

#[test]
fn the_end_of_a_terminal_ends_pasting_and_not_the_wait() {
    let setup = Setup::new();
    let mut terminal = Terminal::open();
    let mut login = login_at(&terminal, &setup, &[]);
    terminal.person.write_all(b"\x04").unwrap();
    // A line that is typed before the end is handled before it.
    login.wait_for_words("paste");
    std::thread::sleep(Duration::from_millis(200));
    come_back(&setup.sandbox.approve(&login.url).unwrap());
    login.finish().expect(0);
}

#[test]
fn without_a_port_the_redirect_uri_can_be_any_and_standard_input_a_pipe() {
    for redirect_uri in ["https://app.example/callback", "com.example.app:/callback"] {
        let mut setup = Setup::new();
        setup.redirect_uri = redirect_uri.to_owned();
        setup.sandbox = sandbox().redirect_uri(redirect_uri).start().unwrap();
        let mut login = login_by_pipe(&setup, &["--tokens", "tokens.json"]);
        let callback = setup.sandbox.approve(&login.url).unwrap();
        writeln!(login.stdin(), "{callback}").unwrap();
        login.finish().expect(0);
        setup.run(&["profile", "--tokens", "tokens.json"]).expect(0);
    }
}

#[test]
fn without_a_port_nothing_listens() {
    let setup = Setup::new();
    // The port can even be in use.
    let _taken = std::net::TcpListener::bind(setup.address).unwrap();
    let mut login = login_by_pipe(&setup, &[]);
    let callback = setup.sandbox.approve(&login.url).unwrap();
    writeln!(login.stdin(), "{callback}").unwrap();
    login.finish().expect(0);

    let setup = Setup::new();
    let mut terminal = Terminal::open();
    let mut login = login_at(&terminal, &setup, &["--no-listen"]);
    login.wait_for_words("paste the URL");
    assert!(TcpStream::connect(setup.address).is_err());
    terminal.paste(&setup.sandbox.approve(&login.url).unwrap());
    login.finish().expect(0);
}

#[test]
fn without_a_port_the_end_of_standard_input_ends_the_login() {
    for (line, words) in [
        ("", "nobody came back"),
        ("?code=stolen&state=forged\n", "nobody came back"),
        // Without the end of a line: a URL without parameters is a denial.
        ("https://app.example/callback", "the login was denied"),
    ] {
        let setup = Setup::new();
        let mut login = login_by_pipe(&setup, &["--wait", "60"]);
        login.stdin().write_all(line.as_bytes()).unwrap();
        login.close_stdin();
        let begun = Instant::now();
        let outcome = login.finish().expect(5);
        assert!(begun.elapsed() < Duration::from_secs(30), "it did not wait");
        assert!(
            outcome.stderr.contains(words) && outcome.stderr.contains("standard input ended"),
            "{}",
            outcome.stderr
        );
    }
}

#[test]
fn without_a_port_the_wait_is_limited_too() {
    let setup = Setup::new();
    let login = login_by_pipe(&setup, &["--wait", "0.3"]);
    login.finish().expect(5);
}

/// A script may have its own use for standard input.
#[test]
fn a_pipe_is_not_read_while_the_port_is_open() {
    let setup = Setup::new();
    let arguments = ["login", "--no-browser", "--redirect-uri", &setup.redirect_uri];
    let mut login = RunningLogin::spawn(setup.command(&arguments).stdin(Stdio::piped()));
    let state = state_of(&login.url);
    writeln!(login.stdin(), "?error=access_denied&state={state}").unwrap();
    std::thread::sleep(Duration::from_millis(300));
    come_back(&setup.sandbox.approve(&login.url).unwrap());
    let outcome = login.finish().expect(0);
    assert!(!outcome.stderr.contains("paste"), "{}", outcome.stderr);
}

#[test]
fn a_redirect_uri_that_cannot_be_listened_on_points_to_pasting() {
    let setup = Setup::new();
    let outcome = setup.run(&["login", "--no-browser", "--redirect-uri", "https://app.example/callback"]).expect(2);
    assert!(outcome.stderr.contains("--no-listen"), "{}", outcome.stderr);
}

#[test]
fn over_ssh_the_line_that_forwards_the_port_is_named_before_the_url() {
    for variable in ["SSH_CONNECTION", "SSH_TTY"] {
        let setup = Setup::new();
        let port = setup.address.port();
        let terminal = Terminal::open();
        let arguments = ["login", "--redirect-uri", &setup.redirect_uri, "--wait", "0.3"];
        let run = |stdin: Stdio| {
            let mut command = setup.command(&arguments);
            Outcome::of(command.env(variable, "x").stdin(stdin).output().unwrap()).expect(5).stderr
        };
        let said = run(terminal.for_command());
        let line = format!("ssh -N -L {port}:127.0.0.1:{port} HOST");
        assert!(said.find(&line).is_some_and(|at| at < said.find("state=").unwrap()), "{said}");
        assert!(said.contains("or open the URL all the same, and paste here"), "{said}");
        assert!(said.contains("no browser could be opened"), "none can be seen: {said}");
        let said = run(Stdio::null());
        assert!(said.contains(&line) && !said.contains("paste"), "{said}");
    }
    // Nothing has to reach a port that is not open.
    let setup = Setup::new();
    let arguments = ["login", "--no-browser", "--no-listen", "--redirect-uri", &setup.redirect_uri];
    let outcome = Outcome::of(setup.command(&arguments).env("SSH_TTY", "x").output().unwrap()).expect(5);
    assert!(!outcome.stderr.contains("ssh -N"), "{}", outcome.stderr);
}

/// A job in the background that reads from its terminal is stopped (SIGTTIN), and takes input from another job.
#[test]
fn a_login_in_the_background_leaves_the_terminal_to_the_foreground() {
    let setup = Setup::new();
    let mut terminal = Terminal::open();
    // With `set -m`, a job in the background has a process group of its own, and keeps its standard input.
    let script = format!(
        "exec 3>&2 2>/dev/tty; set -m; \
         {} login --no-browser --redirect-uri {} --tokens tokens.json --wait 30 2>&3 & \
         read -r line; echo \"line: $line\" >&3; wait $!",
        env!("CARGO_BIN_EXE_restream-oauth"),
        setup.redirect_uri
    );
    let variables = setup.command(&[]);
    let mut shell = Command::new("setsid");
    shell
        .args(["--ctty", "--wait", "bash", "-c", &script])
        .current_dir(&setup.folder.0)
        .env_clear()
        .envs(variables.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .stdin(terminal.for_command())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if Command::new("setsid").arg("--version").output().is_err() {
        return skipped("setsid is not installed (Debian: apt-get install util-linux)");
    }
    let mut login = RunningLogin::spawn(&mut shell);
    login.wait_for_words("paste");
    // This would end the login.
    terminal.paste(&format!("?error=access_denied&state={}", state_of(&login.url)));
    let words = login.wait_for_words("line: ");
    assert!(words.contains("?error=access_denied"), "the foreground got its line: {words}");
    come_back(&setup.sandbox.approve(&login.url).unwrap());
    let outcome = login.finish();
    assert_eq!(outcome.exit, Some(0), "{}", outcome.stderr);
    assert!(setup.folder.names().contains(&"tokens.json".to_owned()));
}

#[test]
fn a_qr_code_comes_after_the_url() {
    let setup = Setup::new();
    let mut login = login_by_pipe(&setup, &["--qr"]);
    login.close_stdin();
    let said = login.finish().expect(5).stderr;
    let (_, after) = said.split_once("state=").unwrap();
    let drawing: Vec<_> = after.lines().filter(|line| line.starts_with('█')).collect();
    assert!(drawing.len() > 20 && drawing.iter().all(|line| line.chars().all(|it| "█▀▄ ".contains(it))), "{said}");
    assert!(!said.contains('\u{1B}'), "no colours, because this is no terminal");
}

/// Runs a login with a QR code whose standard error is a terminal of this width.
fn shown_in(columns: u16, variables: &[(&str, &str)]) -> String {
    let setup = Setup::new();
    let terminal = Terminal::open();
    let size = rustix::termios::Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    rustix::termios::tcsetwinsize(&terminal.command, size).unwrap();
    let Terminal { mut person, command } = terminal;
    let arguments = ["login", "--no-browser", "--no-listen", "--qr", "--redirect-uri", &setup.redirect_uri];
    let mut login = setup.command(&arguments);
    login.envs(variables.iter().copied()).stderr(command);
    let mut child = login.spawn().unwrap();
    // Now only the child has the command's side, so the person's side ends with it.
    drop(login);
    let mut said = Vec::new();
    // Linux reports the end as an error.
    let _ = person.read_to_end(&mut said);
    child.wait().unwrap();
    String::from_utf8(said).unwrap()
}

#[test]
fn a_qr_code_has_colours_on_a_terminal_that_may_have_them() {
    let wide = 200;
    assert!(shown_in(wide, &[("TERM", "xterm")]).contains("\u{1B}[38;5;231;48;5;16m█"));
    for variables in [&[("TERM", "xterm"), ("NO_COLOR", "1")][..], &[("TERM", "dumb")], &[]] {
        let said = shown_in(wide, variables);
        assert!(said.contains("██") && !said.contains('\u{1B}'), "{variables:?}: {said}");
    }
}

#[test]
fn a_qr_code_is_not_drawn_into_a_terminal_that_would_break_its_lines() {
    let said = shown_in(40, &[("TERM", "xterm")]);
    assert!(said.contains("this terminal has 40: make it wider") && !said.contains('█'), "{said}");
    assert!(said.contains("state="), "the URL is shown all the same: {said}");
}
