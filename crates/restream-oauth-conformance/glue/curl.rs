//! The core over the `curl` program. The request goes to its standard input: other users can read its arguments.

use std::io::{self, Read as _, Write as _};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use restream_oauth_core::transport::{Failure, FailureKind};
use restream_oauth_core::{Answer, Call};

/// Sends a call. `more` is further configuration of curl, such as `cacert="ca.pem"`.
pub(crate) fn receive<T>(call: Call<T>, limit: Duration, more: &str) -> Answer<T> {
    let (request, reader) = call.into_parts(SystemTime::now());
    // To curl, 0 seconds are no limit. `{:?}` escapes quotes and backslashes as its configuration needs.
    let (method, uri, mut answer) = (request.method(), request.uri().to_string(), Vec::new());
    let seconds = limit.max(Duration::from_millis(1)).as_secs_f64();
    let mut config = format!("{more}\nnoproxy=*\nmax-time={seconds}\nrequest={method}\nurl={uri:?}\n");
    for (name, value) in request.headers() {
        config.extend([format!("header={:?}\n", format!("{name}: {}", value.to_str().unwrap_or_default()))]);
    }
    let form = String::from_utf8_lossy(request.body().as_ref());
    config.extend((!form.is_empty()).then(|| format!("data-binary={form:?}\n")));
    let failure = match run(&config, &mut answer) {
        Ok(Some(0)) => None,
        Ok(Some(6 | 7)) => Some(Failure::new(FailureKind::Connect)),
        Ok(Some(28)) => Some(Failure::new(FailureKind::Timeout)),
        Ok(Some(35 | 60)) => Some(Failure::new(FailureKind::Tls)),
        Ok(_) => Some(Failure::new(FailureKind::Interrupted)),
        Err(error) => Some(error.into()),
    };
    let is_whole = failure.is_none();
    super::http1::read(reader, &answer, |_, body| (body.to_vec(), is_whole), failure)
}

/// Returns curl's exit code. `answer` gets what arrived, even if curl failed: it may hold the only copy of a pair.
fn run(config: &str, answer: &mut Vec<u8>) -> io::Result<Option<i32>> {
    let mut curl = Command::new("curl").args(["-qsiN", "-K-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    curl.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(config.as_bytes()))?;
    curl.stdout.take().map_or(Ok(0), |stdout| stdout.take(512 * 1024).read_to_end(answer))?;
    Ok(curl.wait()?.code())
}
