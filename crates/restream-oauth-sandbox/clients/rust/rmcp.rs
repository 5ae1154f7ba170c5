//! rmcp: AuthorizationManager with its credential store in memory. The program knows the server's metadata, as after a
//! first login.

mod report;

use report::{Report, environment};
use rmcp::transport::auth::{
    AuthorizationManager, AuthorizationMetadata, CredentialStore, InMemoryCredentialStore, OAuthClientConfig,
};
use serde_json::json;

#[tokio::main]
async fn main() {
    let base_url = environment("BASE_URL");
    let profile_url = base_url.clone() + "/v2/user/profile";
    let store = InMemoryCredentialStore::new();
    // Two hours old, with a lifetime of one hour.
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let stored = json!({
        "client_id": environment("CLIENT_ID"),
        "token_response": {
            "access_token": environment("ACCESS_TOKEN"),
            "refresh_token": environment("REFRESH_TOKEN"),
            "token_type": "bearer",
            "expires_in": 3600,
        },
        "token_received_at": now - 7200,
    });
    store.save(serde_json::from_value(stored).unwrap()).await.unwrap();
    let metadata = json!({
        "issuer": base_url,
        "authorization_endpoint": format!("{base_url}/login"),
        "token_endpoint": report::token_url(),
    });
    let metadata: AuthorizationMetadata = serde_json::from_value(metadata).unwrap();
    let mut manager = AuthorizationManager::new(profile_url.as_str()).await.unwrap();
    manager.set_credential_store(store.clone());
    manager.set_metadata(metadata);
    manager
        .configure_client(
            OAuthClientConfig::new(environment("CLIENT_ID"), environment("REDIRECT_URI"))
                .with_client_secret(environment("CLIENT_SECRET")),
        )
        .unwrap();
    let mut report = Report::default();
    let one_call = || async {
        let token = manager.get_access_token().await.map_err(|error| {
            // The names of the variants, without what they hold.
            let kind = format!("{error:?}");
            format!("AuthError::{}", kind.split(['(', ' ', '{']).next().unwrap_or_default())
        })?;
        let call = reqwest::Client::new().get(&profile_url).bearer_auth(token).send();
        call.await.map(drop).map_err(|error| error.to_string())
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
    // In rmcp, AuthorizationRequired is how the manager asks for a login.
    report.login = report.kind.as_deref() == Some("AuthError::AuthorizationRequired");
    let held = serde_json::to_value(store.load().await.unwrap().unwrap()).unwrap();
    let member = |name: &str| held["token_response"][name].as_str().map(str::to_owned);
    (report.access_token, report.refresh_token) = (member("access_token"), member("refresh_token"));
    report.print();
}
