//! The smallest program that posts a form over ureq and rustls: what the others build as well.

use std::env;
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let mut response = ureq::post("https://api.restream.io/oauth/token")
        .content_type("application/x-www-form-urlencoded")
        .send(env::var("FORM")?)?;
    println!("{}", response.body_mut().read_to_vec()?.len());
    Ok(())
}
