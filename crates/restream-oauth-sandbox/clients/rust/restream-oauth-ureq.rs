//! restream-oauth-ureq: `Client::refresh` over its transport, a function of the refresh token.

mod report;

use report::{Report, environment};
use restream_oauth_ureq::Transport;
use restream_oauth_ureq::restream_oauth_core::error::ErrorKind;
use restream_oauth_ureq::restream_oauth_core::{Client, Endpoints, RefreshToken};

fn main() {
    let client = Client::builder(environment("CLIENT_ID"))
        .secret(environment("CLIENT_SECRET"))
        .redirect_uri(environment("REDIRECT_URI"))
        .endpoints(Endpoints::at(&environment("BASE_URL")))
        .build()
        .unwrap();
    let transport = Transport::new().unwrap();
    let mut report = Report {
        access_token: Some(environment("ACCESS_TOKEN")),
        refresh_token: Some(environment("REFRESH_TOKEN")),
        ..Report::default()
    };
    for call in 0..report::calls() {
        if call > 0 {
            std::thread::sleep(report::PAUSE);
        }
        let Some(refresh_token) = report.refresh_token.as_deref().map(RefreshToken::new) else { break };
        match transport.send(client.refresh(&refresh_token)) {
            Ok(tokens) => {
                report.access_token = Some(tokens.access_token().expose_secret().to_owned());
                report.refresh_token = tokens.refresh_token().map(|token| token.expose_secret().to_owned());
            }
            Err(error) => {
                if let ErrorKind::Refused(code) = error.kind() {
                    report.error = Some(code.as_str().to_owned());
                }
                report.kind = Some(format!("{:?}, {:?}, {:?}", error.kind(), error.delivery(), error.advice()));
            }
        }
    }
    report.print();
}
