//! Randomness for the core, from the operating system.

use std::fmt;

use restream_oauth_core::Entropy;
use zeroize::Zeroizing;

/// Returns fresh entropy for a [`Login`](restream_oauth_core::Login), from the operating system. There is no other
/// source.
///
/// ```
/// use restream_oauth_ureq::restream_oauth_core::Client;
///
/// let client = Client::builder("client-id").redirect_uri("https://app.example/callback").build()?;
/// let login = client.login(restream_oauth_ureq::entropy()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`EntropyError`] if the operating system gives no randomness. Do not begin a login then.
pub fn entropy() -> Result<Entropy, EntropyError> {
    let mut bytes = Zeroizing::new([0; 64]);
    getrandom::fill(bytes.as_mut_slice()).map_err(EntropyError)?;
    Ok(Entropy::from(*bytes))
}

/// The operating system gives no cryptographic randomness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntropyError(getrandom::Error);

impl fmt::Display for EntropyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the operating system gives no randomness: no login can be begun safely")
    }
}

impl std::error::Error for EntropyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use restream_oauth_core::Client;

    use super::*;

    /// RFC 6749 §10.10.
    #[test]
    fn each_login_has_entropy_of_its_own() {
        let client = Client::builder("id").redirect_uri("https://app.example/callback").build().unwrap();
        let [one, other] = [(); 2].map(|()| client.login(entropy().unwrap()).state());
        assert_ne!(one, other);
    }
}
