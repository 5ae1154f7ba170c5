//! A sandbox as a server. It prints one line of JSON when it is ready, then serves until it is killed.
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
