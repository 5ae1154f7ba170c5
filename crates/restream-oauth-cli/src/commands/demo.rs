//! `demo`: the whole flow against a local Restream, over real sockets, with every request and answer shown.

mod transcript;

use std::time::Duration;

use http::StatusCode;
use restream_oauth_core::error::{ErrorCode, ErrorKind};
use restream_oauth_core::{AuthorizationCode, Call, Client, Endpoints, Error, Login, Profile, RefreshToken, Tokens};
use restream_oauth_hyper::Limits;
use restream_oauth_sandbox::Sandbox;

use crate::arguments::Demo;
use crate::configuration;
use crate::failure::Failure;
use crate::login;
use crate::login::callback_listener::{CallbackListener, LastPage};
use crate::login::waiting::Waiting;
use crate::terminal::print;
use crate::transport::Transport;

/// The time limit of each request: a local server responds at once, or never.
const LIMIT: Duration = Duration::from_secs(10);

/// The documented status of a success, of a dead refresh token, and of a dead access token.
const OK: StatusCode = StatusCode::OK;
const BAD_REQUEST: StatusCode = StatusCode::BAD_REQUEST;
const UNAUTHORIZED: StatusCode = StatusCode::UNAUTHORIZED;

pub(crate) async fn run(options: &Demo) -> Result<(), Failure> {
    let (listener, redirect_uri) = CallbackListener::bind_free().await?;
    let sandbox = Sandbox::builder().redirect_uri(&redirect_uri).start();
    let sandbox =
        sandbox.map_err(|error| Failure::other(format!("cannot start the sandbox: {error}")).because_of(&error))?;
    let client = Client::builder(sandbox.client_id())
        .secret(sandbox.client_secret().unwrap_or_default())
        .redirect_uri(redirect_uri)
        .endpoints(Endpoints::at(sandbox.base_url()))
        .build()?;
    let adapter =
        restream_oauth_hyper::Transport::builder().limits(Limits::default().connect(LIMIT).total(LIMIT)).build();
    let transport = Transport::over(adapter.map_err(|error| Failure::other(error.to_string()))?);
    let demo = Run { sandbox, client, transport };
    tell(&format!("A local Restream runs at {}. Secrets are cut to their first characters.", demo.sandbox.base_url()))?;

    let (code, last_page) = demo.log_in(listener, options).await?;
    let first = demo.exchange(&code).await;
    if let Some(last_page) = last_page {
        last_page.show(first.is_ok()).await;
    }
    demo.use_tokens(&first?).await?;
    tell("\nAll as documented.")
}

struct Run {
    sandbox: Sandbox,
    client: Client,
    transport: Transport,
}

impl Run {
    /// Steps 1 and 2.
    async fn log_in(
        &self,
        listener: CallbackListener,
        options: &Demo,
    ) -> Result<(AuthorizationCode, Option<LastPage>), Failure> {
        tell("\n1. Log in: the browser is sent to the consent dialog, with state and a PKCE challenge")?;
        let mut login = self.client.login(configuration::entropy()?);
        tell(&transcript::url(login.url().as_str()))?;
        let (code, last_page) = if options.browser {
            login::show(&self.client, login.url().as_str(), false);
            Waiting::for_browser(listener).end(&mut login, options.wait).await?
        } else {
            self.approve(listener, &mut login, options.wait).await?
        };
        tell("\n2. Capture: it came back to the redirect URI, and state is the one that was sent")?;
        Ok((code, last_page))
    }

    /// Approves the login, and follows the redirect as a browser does.
    async fn approve(
        &self,
        listener: CallbackListener,
        login: &mut Login,
        wait: Duration,
    ) -> Result<(AuthorizationCode, Option<LastPage>), Failure> {
        let location = self.sandbox.approve(login.url().as_str());
        let location = location.map_err(|error| Failure::other(format!("the sandbox refused the login: {error}")))?;
        tell(&format!("   approved; the browser follows the redirect:\n{}", transcript::url(&location)))?;
        let (outcome, page) =
            tokio::join!(Waiting::for_browser(listener).end(login, wait), transcript::visit(&location));
        page?;
        outcome
    }

    /// Step 3.
    async fn exchange(&self, code: &AuthorizationCode) -> Result<Tokens, Failure> {
        Ok(self.send("3. Exchange the code for tokens", self.client.exchange(code), OK).await??)
    }

    /// The profile, steps 4 and 5, and proofs that dead tokens are dead.
    async fn use_tokens(&self, first: &Tokens) -> Result<(), Failure> {
        let Self { client, .. } = self;
        let refresh_token = whole(first)?;
        let profile = self.send("   Call the API", self.profile(first)?, OK).await??;
        tell(&format!("   the tokens are those of user {}", profile.id()))?;

        let refresh = client.refresh(refresh_token);
        let second = self.send("4. Refresh: a new pair, and the old one is dead", refresh, OK).await??;
        let newest = whole(&second)?;
        let refused = self.send("   the old refresh token", client.refresh(refresh_token), BAD_REQUEST).await?;
        expect_refused(refused, &ErrorCode::InvalidGrant, "a rotated refresh token is dead")?;
        let refused = self.send("   the old access token", self.profile(first)?, UNAUTHORIZED).await?;
        expect_refused(refused, &ErrorCode::InvalidToken, "a rotated access token is dead")?;
        let alive = self.send("   the new access token", self.profile(&second)?, OK).await?;
        if alive? != profile {
            return Err(not_documented("both pairs are those of one user"));
        }

        let revoke = client.revoke(second.access_token());
        let revoked = self.send("5. Revoke: one token kills the pair", revoke, OK).await?;
        revoked?;
        let refused = self.send("   the revoked refresh token", client.refresh(newest), BAD_REQUEST).await?;
        expect_refused(refused, &ErrorCode::InvalidGrant, "a revoked refresh token is dead")?;
        let refused = self.send("   the revoked access token", self.profile(&second)?, UNAUTHORIZED).await?;
        expect_refused(refused, &ErrorCode::InvalidToken, "a revoked access token is dead")?;

        let ledger = self.sandbox.ledger();
        if (ledger.exchanges, ledger.refreshes, ledger.revocations) == (1, 1, 1) {
            Ok(())
        } else {
            Err(not_documented("the sandbox counts one exchange, one refresh and one revocation"))
        }
    }

    fn profile(&self, tokens: &Tokens) -> Result<Call<Profile>, Failure> {
        self.client.profile(tokens.access_token()).map_err(|error| Failure::other(error.to_string()))
    }

    /// Shows the request, sends it, and shows the response. The outer error means that standard output failed, or that
    /// the response is incomplete or has another status than `status`.
    async fn send<T>(&self, title: &str, call: Call<T>, status: StatusCode) -> Result<Result<T, Error>, Failure> {
        tell(&format!("\n{title}\n{}", transcript::request(call.request())))?;
        let answer = self.transport.receive(call).await;
        tell(&transcript::answer(answer.status(), answer.expose_body()))?;
        let documented = answer.status() == Some(status) && answer.is_whole();
        match answer.interpret() {
            outcome if documented => Ok(outcome),
            Ok(_) => Err(not_documented(&format!("a whole answer with status {}", status.as_u16()))),
            Err(error) => Err(Failure::from(error).and(&format!("expected status {}", status.as_u16()))),
        }
    }
}

/// Returns the refresh token of a pair without oddities.
fn whole(tokens: &Tokens) -> Result<&RefreshToken, Failure> {
    if let Some(oddity) = tokens.oddities().next() {
        return Err(not_documented(&format!("a pair without oddities, and this one is odd: {}", oddity.as_str())));
    }
    tokens.refresh_token().ok_or_else(|| not_documented("a pair has a refresh token"))
}

fn expect_refused<T>(outcome: Result<T, Error>, expected: &ErrorCode, promise: &str) -> Result<(), Failure> {
    match outcome {
        Err(error) if matches!(error.kind(), ErrorKind::Refused(code) if code == expected) => Ok(()),
        Ok(_) => Err(not_documented(promise)),
        Err(error) => Err(Failure::from(error).and(&format!("expected {expected}: {promise}"))),
    }
}

fn not_documented(promise: &str) -> Failure {
    Failure::other(format!("not as documented: {promise}"))
}

/// Writes a part of the story to standard output: the story is the result of the demo.
fn tell(words: &str) -> Result<(), Failure> {
    print(&format!("{words}\n"))
}
