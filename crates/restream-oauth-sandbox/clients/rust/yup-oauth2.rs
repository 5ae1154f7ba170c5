//! yup-oauth2: an authenticator of the installed flow with a token store of the program and other URLs. When it starts
//! a login, the probe notes that and refuses.

mod report;

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use report::{Report, environment};
use yup_oauth2::authenticator_delegate::InstalledFlowDelegate;
use yup_oauth2::storage::{TokenInfo, TokenStorage, TokenStorageError};
use yup_oauth2::{ApplicationSecret, InstalledFlowAuthenticator, InstalledFlowReturnMethod};

struct Store(Arc<Mutex<TokenInfo>>);

#[async_trait::async_trait]
impl TokenStorage for Store {
    async fn set(&self, _: &[&str], token: TokenInfo) -> Result<(), TokenStorageError> {
        *self.0.lock().unwrap() = token;
        Ok(())
    }

    async fn get(&self, _: &[&str]) -> Option<TokenInfo> {
        Some(self.0.lock().unwrap().clone())
    }
}

struct NoLogin(Arc<AtomicBool>);

impl InstalledFlowDelegate for NoLogin {
    fn present_user_url<'a>(
        &'a self,
        _: &'a str,
        _: bool,
    ) -> Pin<Box<dyn Future<Output = Result<String, String>> + Send + 'a>> {
        self.0.store(true, Ordering::Relaxed);
        Box::pin(async { Err("a login is wanted".to_owned()) })
    }
}

#[tokio::main]
async fn main() {
    let expires_in: i64 = environment("EXPIRES_IN").parse().unwrap();
    let stored = Arc::new(Mutex::new(TokenInfo {
        access_token: Some(environment("ACCESS_TOKEN")),
        refresh_token: Some(environment("REFRESH_TOKEN")),
        expires_at: Some(time::OffsetDateTime::now_utc() + time::Duration::seconds(expires_in)),
        id_token: None,
    }));
    let login = Arc::new(AtomicBool::new(false));
    let secret = ApplicationSecret {
        client_id: environment("CLIENT_ID"),
        client_secret: environment("CLIENT_SECRET"),
        token_uri: report::token_url(),
        auth_uri: environment("BASE_URL") + "/login",
        ..ApplicationSecret::default()
    };
    let authenticator = InstalledFlowAuthenticator::builder(secret, InstalledFlowReturnMethod::Interactive)
        .with_storage(Box::new(Store(stored.clone())))
        .flow_delegate(Box::new(NoLogin(login.clone())))
        .build()
        .await
        .unwrap();
    let mut report = Report::default();
    let one_call = || async {
        let token = authenticator.token(&["profile.read"]).await.map_err(|error| error.to_string())?;
        let token = token.token().ok_or("no error, and a token without an access token")?.to_owned();
        let url = environment("BASE_URL") + "/v2/user/profile";
        reqwest::Client::new().get(url).bearer_auth(token).send().await.map_err(|error| error.to_string())?;
        Ok::<(), String>(())
    };
    if report::scenario() == "parallel" {
        let results = tokio::join!(one_call(), one_call(), one_call(), one_call(), one_call());
        let results = [results.0, results.1, results.2, results.3, results.4];
        report.kind = results.into_iter().find_map(Result::err);
    } else {
        for call in 0..report::calls() {
            if call > 0 {
                tokio::time::sleep(report::PAUSE).await;
            }
            if let Err(error) = one_call().await {
                report.kind = Some(error);
            }
        }
    }
    let token = stored.lock().unwrap().clone();
    (report.access_token, report.refresh_token) = (token.access_token, token.refresh_token);
    report.login = login.load(Ordering::Relaxed);
    report.print();
}
