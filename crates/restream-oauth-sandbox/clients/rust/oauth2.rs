//! oauth2: `exchange_refresh_token`, a function of the refresh token, with its own blocking reqwest client.

mod report;

use oauth2::basic::{BasicClient, BasicErrorResponseType, BasicRequestTokenError};
use oauth2::{AuthUrl, ClientId, ClientSecret, RefreshToken, RequestTokenError, TokenResponse, TokenUrl, reqwest};
use report::{Report, environment};

fn main() {
    let client = BasicClient::new(ClientId::new(environment("CLIENT_ID")))
        .set_client_secret(ClientSecret::new(environment("CLIENT_SECRET")))
        .set_auth_uri(AuthUrl::new(environment("BASE_URL") + "/login").unwrap())
        .set_token_uri(TokenUrl::new(report::token_url()).unwrap());
    let http = reqwest::blocking::ClientBuilder::new().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let mut held = RefreshToken::new(environment("REFRESH_TOKEN"));
    let mut report = Report { access_token: Some(environment("ACCESS_TOKEN")), ..Report::default() };
    for call in 0..report::calls() {
        if call > 0 {
            std::thread::sleep(report::PAUSE);
        }
        match client.exchange_refresh_token(&held).request(&http) {
            Ok(answer) => {
                report.access_token = Some(answer.access_token().secret().clone());
                if let Some(refresh_token) = answer.refresh_token() {
                    held = refresh_token.clone();
                }
            }
            Err(error) => describe(&error, &mut report),
        }
    }
    report.refresh_token = Some(held.secret().clone());
    report.print();
}

fn describe(error: &BasicRequestTokenError<oauth2::HttpClientError<reqwest::Error>>, report: &mut Report) {
    let kind = match error {
        RequestTokenError::ServerResponse(answer) => {
            let name: &BasicErrorResponseType = answer.error();
            report.error = Some(name.to_string());
            "ServerResponse"
        }
        RequestTokenError::Request(_) => "Request",
        RequestTokenError::Parse(_, body) => {
            let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
            if body["error"]["name"] == "invalid_grant" {
                report.reach = Some("RequestTokenError::Parse(_, body)");
            }
            "Parse"
        }
        RequestTokenError::Other(_) => "Other",
    };
    report.kind = Some(format!("RequestTokenError::{kind}"));
}
