//! The four ways to exchange a code. Each begins as a program does that has just started: with nothing set up.

use std::error::Error;
use std::sync::Arc;

use oauth2::basic::BasicClient;
use oauth2::{ClientId, ClientSecret, EndpointNotSet, EndpointSet, RedirectUrl, TokenUrl, reqwest, ureq};
use restream_oauth_core::{AuthorizationCode, Client, Endpoints};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};

pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

const ID: &str = "client-id";
const SECRET: &str = "client-secret";
const CODE: &str = "4f1a";
const REDIRECT_URI: &str = "https://app.example/callback";

/// Where the server is, and the only root certificate.
pub(crate) struct Place {
    pub(crate) port: u16,
    pub(crate) root: Vec<u8>,
}

/// Exchanges a code.
pub(crate) type Exchange = Box<dyn FnMut() -> Outcome<()>>;

/// The name of a side, and how it is set up.
pub(crate) type Side = (&'static str, fn(&Place) -> Outcome<Exchange>);

pub(crate) const SIDES: [Side; 4] = [
    ("ours over hyper", ours_over_hyper),
    ("`oauth2` over reqwest", peer_over_reqwest),
    ("ours over ureq", ours_over_ureq),
    ("`oauth2` over ureq", peer_over_ureq),
];

impl Place {
    fn base(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    fn certificate(&self) -> CertificateDer<'static> {
        CertificateDer::from(self.root.clone())
    }

    fn client(&self) -> Outcome<Client> {
        let builder = Client::builder(ID).secret(SECRET).redirect_uri(REDIRECT_URI);
        Ok(builder.endpoints(Endpoints::at(&self.base())).build()?)
    }

    fn peer(&self) -> Outcome<Peer> {
        Ok(BasicClient::new(ClientId::new(ID.to_owned()))
            .set_client_secret(ClientSecret::new(SECRET.to_owned()))
            .set_token_uri(TokenUrl::new(format!("{}/oauth/token", self.base()))?)
            .set_redirect_uri(RedirectUrl::new(REDIRECT_URI.to_owned())?))
    }
}

type Peer = BasicClient<EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

fn code() -> AuthorizationCode {
    AuthorizationCode::without_state_check(CODE, REDIRECT_URI, None)
}

fn ours_over_hyper(place: &Place) -> Outcome<Exchange> {
    let client = place.client()?;
    let transport = restream_oauth_hyper::Transport::builder().only_root_certificates([place.certificate()]).build()?;
    let runtime = runtime()?;
    Ok(Box::new(move || Ok(runtime.block_on(transport.send(client.exchange(&code()))).map(drop)?)))
}

fn ours_over_ureq(place: &Place) -> Outcome<Exchange> {
    let client = place.client()?;
    let transport = restream_oauth_ureq::Transport::builder().only_root_certificates([place.certificate()]).build()?;
    Ok(Box::new(move || Ok(transport.send(client.exchange(&code())).map(drop)?)))
}

fn peer_over_reqwest(place: &Place) -> Outcome<Exchange> {
    let client = place.peer()?;
    let http = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .tls_built_in_root_certs(false)
        .add_root_certificate(reqwest::Certificate::from_der(&place.root)?)
        .build()?;
    let runtime = runtime()?;
    Ok(Box::new(move || {
        let exchange = client.exchange_code(oauth2::AuthorizationCode::new(CODE.to_owned()));
        Ok(runtime.block_on(exchange.request_async(&http)).map(drop)?)
    }))
}

fn peer_over_ureq(place: &Place) -> Outcome<Exchange> {
    let client = place.peer()?;
    let mut roots = RootCertStore::empty();
    roots.add(place.certificate())?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let agent = ureq::builder().redirects(0).tls_config(Arc::new(config)).build();
    Ok(Box::new(move || {
        let exchange = client.exchange_code(oauth2::AuthorizationCode::new(CODE.to_owned()));
        Ok(exchange.request(&agent).map(drop)?)
    }))
}

fn runtime() -> Outcome<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}
