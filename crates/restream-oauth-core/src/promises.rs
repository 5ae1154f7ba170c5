//! Examples that must not compile. Before them, each section has a similar example that must compile. This file is
//! built only for doctests. A nightly compiler also checks that the error is the one named here.
//!
//! # A call is sent once
//!
//! ```
//! # use restream_oauth_core::{Client, RefreshToken};
//! # fn refresh(client: &Client, now: std::time::SystemTime) {
//! let call = client.refresh(&RefreshToken::new("r0"));
//! let (request, reader) = call.into_parts(now);
//! # }
//! ```
//!
//! ```compile_fail,E0382
//! # use restream_oauth_core::{Client, RefreshToken};
//! # fn refresh(client: &Client, now: std::time::SystemTime) {
//! let call = client.refresh(&RefreshToken::new("r0"));
//! let (request, reader) = call.into_parts(now);
//! let (request, reader) = call.into_parts(now);
//! # }
//! ```
//!
//! ```compile_fail,E0599
//! # use restream_oauth_core::{Client, RefreshToken};
//! # fn refresh(client: &Client, now: std::time::SystemTime) {
//! let call = client.refresh(&RefreshToken::new("r0"));
//! let again = call.clone();
//! let (request, reader) = call.into_parts(now);
//! # }
//! ```
//!
//! # A reader ends once
//!
//! ```
//! # use restream_oauth_core::{Answer, Reader, Tokens};
//! # fn read(reader: Reader<Tokens>) -> Answer<Tokens> {
//! let answer = reader.finish();
//! # answer
//! # }
//! ```
//!
//! ```compile_fail,E0382
//! # use restream_oauth_core::transport::{Failure, FailureKind, Stage};
//! # use restream_oauth_core::{Answer, Reader, Tokens};
//! # fn read(reader: Reader<Tokens>) -> Answer<Tokens> {
//! let answer = reader.finish();
//! let answer = reader.fail(Stage::ReadingBody, Failure::new(FailureKind::Timeout));
//! # answer
//! # }
//! ```
//!
//! # A code comes from a checked callback
//!
//! ```
//! # use restream_oauth_core::{AuthorizationCode, Client, Login};
//! # use restream_oauth_core::login::CallbackError;
//! # fn exchange(client: &Client, login: &mut Login, uri: &str) -> Result<(), CallbackError> {
//! let code: AuthorizationCode = login.read_callback(uri)?;
//! client.exchange(&code);
//! # Ok(())
//! # }
//! ```
//!
//! ```compile_fail,E0308
//! # use restream_oauth_core::{AuthorizationCode, Client, Login};
//! # use restream_oauth_core::login::CallbackError;
//! # fn exchange(client: &Client, login: &mut Login, uri: &str) -> Result<(), CallbackError> {
//! client.exchange("4f1a");
//! # Ok(())
//! # }
//! ```
//!
//! ```compile_fail,E0599
//! # use restream_oauth_core::{AuthorizationCode, Client, Login};
//! # use restream_oauth_core::login::CallbackError;
//! # fn exchange(client: &Client, login: &mut Login, uri: &str) -> Result<(), CallbackError> {
//! let code = AuthorizationCode::new("4f1a");
//! client.exchange(&code);
//! # Ok(())
//! # }
//! ```
//!
//! ```compile_fail,E0451
//! # use restream_oauth_core::{AuthorizationCode, Client, Login};
//! # use restream_oauth_core::login::CallbackError;
//! # fn exchange(client: &Client, login: &mut Login, uri: &str) -> Result<(), CallbackError> {
//! let read = login.read_callback(uri)?;
//! let code = AuthorizationCode { scopes: None, ..read };
//! client.exchange(&code);
//! # Ok(())
//! # }
//! ```
//!
//! # Only `expose_secret` returns a secret
//!
//! ```
//! # use restream_oauth_core::AccessToken;
//! # fn print(token: &AccessToken) {
//! println!("{}", token.expose_secret());
//! assert!(token.expose_secret() == "2a40");
//! let json = serde_json::to_string(token.expose_secret());
//! # }
//! ```
//!
//! ```compile_fail,E0277
//! # use restream_oauth_core::AccessToken;
//! # fn print(token: &AccessToken) {
//! println!("{token}");
//! # }
//! ```
//!
//! ```compile_fail,E0308
//! # use restream_oauth_core::AccessToken;
//! # fn print(token: &AccessToken) {
//! assert!(*token == "2a40");
//! # }
//! ```
//!
//! ```compile_fail,E0277
//! # use restream_oauth_core::AccessToken;
//! # fn print(token: &AccessToken) {
//! let json = serde_json::to_string(token);
//! # }
//! ```
//!
//! # A login takes 64 random bytes
//!
//! ```
//! # use restream_oauth_core::{Client, Entropy};
//! # fn begin(client: &Client, random: [u8; 64]) {
//! let login = client.login(Entropy::from(random));
//! # }
//! ```
//!
//! ```compile_fail,E0277
//! # use restream_oauth_core::{Client, Entropy};
//! # fn begin(client: &Client, random: [u8; 16]) {
//! let login = client.login(Entropy::from(random));
//! # }
//! ```

#![doc = include_str!("../README.md")]
