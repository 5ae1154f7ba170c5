//! A sandbox as a server: one JSON line when it is ready, then it serves until it is killed.
//!
//! ```sh
//! cargo run -p restream-oauth-sandbox --example serve
//! ```

use restream_oauth_sandbox::{Sandbox, StartError};

fn main() -> Result<(), StartError> {
    let sandbox = Sandbox::start()?;
    println!("{}", sandbox.ready_line());
    sandbox.wait();
    Ok(())
}
