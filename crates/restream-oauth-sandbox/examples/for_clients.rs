//! The sandboxes that `clients/run` needs, in one process: `plain`; `short`, whose access tokens live one second; and
//! `special`, whose credentials have characters that clients encode in different ways. Prints one line of JSON, then
//! serves until it is killed.
//!
//! ```sh
//! cargo run -p restream-oauth-sandbox --example for_clients
//! ```

use std::time::Duration;

use restream_oauth_sandbox::{Sandbox, StartError};

fn main() -> Result<(), StartError> {
    let plain = Sandbox::start()?;
    let short = Sandbox::builder().access_token_lifetime(Duration::from_secs(1)).start()?;
    let special = Sandbox::builder().client_id("an id").client_secret("p:s+&%25/=").start()?;
    println!(r#"{{"plain":{},"short":{},"special":{}}}"#, plain.ready_line(), short.ready_line(), special.ready_line());
    plain.wait();
    Ok(())
}
