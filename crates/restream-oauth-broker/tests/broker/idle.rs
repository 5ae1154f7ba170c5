//! Ten thousand connections that do nothing: the broker has room for them, and for a device that asks for something.
//!
//! They are opened by another process, which is this test binary again: a process has files for one end of them alone.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::program::{Program, Running};
use crate::support::skipped;

const CONNECTIONS: usize = 10_000;
/// Every tenth connection has sent a request, and is kept for the next one.
const WITH_A_REQUEST: usize = 10;
/// The most memory that the broker may ever have had, in KiB.
const MOST_MEMORY: u64 = 100 * 1024;

/// Not a test: what the process with the other ends does.
#[test]
fn child() {
    let Some(address) = std::env::var_os("IDLE_AT") else { return };
    let address: SocketAddr = address.into_string().unwrap().parse().unwrap();
    let open = move |number: usize| -> std::io::Result<TcpStream> {
        let mut stream = TcpStream::connect(address)?;
        if number.is_multiple_of(WITH_A_REQUEST) {
            stream.write_all(b"GET /nothing HTTP/1.1\r\nhost: x\r\n\r\n")?;
        }
        stream.set_nonblocking(true)?;
        Ok(stream)
    };
    let mut streams: Vec<_> = (0..CONNECTIONS).map(|number| open(number).unwrap()).collect();
    std::thread::spawn(move || {
        // The broker ends what is silent for half a minute.
        loop {
            for (number, stream) in streams.iter_mut().enumerate() {
                let mut answer = [0; 1024];
                match stream.read(&mut answer) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Ok(1..) => {}
                    _ => match open(number) {
                        Ok(again) => *stream = again,
                        // The broker stops.
                        Err(_) => return,
                    },
                }
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    // Until the test closes it.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    std::process::exit(0);
}

/// A command that may have many files.
fn with_many_files(command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -n \"$(ulimit -Hn)\" && exec \"$0\" \"$@\""]);
    shell.arg(command.get_program()).args(command.get_args());
    shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell
}

/// False, loudly, where a process may not have that many files.
fn may_have_many_files() -> bool {
    let limit = Command::new("sh").args(["-c", "ulimit -Hn"]).output().unwrap();
    let limit = String::from_utf8(limit.stdout).unwrap();
    let limit = limit.trim();
    let is_enough = limit == "unlimited" || limit.parse::<usize>().is_ok_and(|limit| limit >= CONNECTIONS + 200);
    if !is_enough {
        skipped(&format!(
            "a process may have {limit} files here, and {CONNECTIONS} connections need more (ulimit -Hn)"
        ));
    }
    is_enough
}

/// The most memory that a process ever had, in KiB.
fn most_memory(running: &Running) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", running.child.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse().unwrap()
}

#[test]
fn ten_thousand_idle_connections_fit_into_100_mb_and_the_next_device_is_served() {
    if !may_have_many_files() {
        return;
    }
    let program = Program::new();
    let world = &program.world;
    program.without_limits();
    let running = Running::start(with_many_files(&program.command(&[]))).expect("a line when it is ready");
    world.reach_at(&running.ready);
    let mut idle = Command::new(std::env::current_exe().unwrap());
    idle.args(["--exact", "idle::child", "--nocapture", "--test-threads=1"]);
    idle.env("IDLE_AT", running.ready["base_url"].as_str().unwrap().strip_prefix("http://").unwrap());
    let mut idle = with_many_files(&idle).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    world.wait_for("the connections are open", |world| {
        let metrics = world.browse(&format!("{}/metrics", running.admin_url()), None).body;
        let open = metrics.lines().find_map(|line| line.strip_prefix("restream_oauth_broker_connections ")).unwrap();
        open.parse::<usize>().unwrap() >= CONNECTIONS
    });
    let tokens = world.log_in();
    assert_eq!(world.refresh(&tokens.refresh_token).tokens().access_token, tokens.access_token);
    let memory = most_memory(&running);
    // It ends in order, whatever hangs on it.
    let (code, log) = running.end("-TERM");
    drop(idle.stdin.take());
    let ended = idle.wait().unwrap();
    assert_eq!(code, Some(0), "{log}");
    assert!(ended.success());
    assert!(memory <= MOST_MEMORY, "{memory} KiB for {CONNECTIONS} connections");
}
