//! The smallest program that posts a form over hyper, hyper-util, rustls and tokio: what the others build as well.

use std::env;
use std::error::Error;
use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt, Full};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use rustls::{ClientConfig, RootCertStore};

fn main() -> Result<(), Box<dyn Error>> {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_only().enable_http1().build();
    let client = Client::builder(TokioExecutor::new()).build::<_, Full<Bytes>>(connector);
    let request = Request::post("https://api.restream.io/oauth/token")
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Full::from(env::var("FORM")?))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let body = runtime.block_on(async {
        Ok::<_, Box<dyn Error>>(client.request(request).await?.into_body().collect().await?.to_bytes())
    })?;
    println!("{}", body.len());
    Ok(())
}
