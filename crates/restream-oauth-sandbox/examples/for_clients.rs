//! The sandboxes that `clients/run` needs, in one process: `plain`; `short`, whose access tokens live one second; and
//! `special`, whose credentials have characters that clients encode in different ways; and for clients that never send a
//! secret, `public_plain` and `public_short`. Prints one line of JSON, then serves until it is killed.
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
    let public_plain = Sandbox::builder().public_client().start()?;
    let public_short = Sandbox::builder().public_client().access_token_lifetime(Duration::from_secs(1)).start()?;
    println!(
        r#"{{"plain":{},"short":{},"special":{},"public_plain":{},"public_short":{}}}"#,
        plain.ready_line(),
        short.ready_line(),
        special.ready_line(),
        public_plain.ready_line(),
        public_short.ready_line()
    );
    plain.wait();
    Ok(())
}
