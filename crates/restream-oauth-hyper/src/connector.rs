//! The default connector below TLS: TCP to the server, or through a proxy's tunnel.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower_service::Service;

#[cfg(feature = "proxy")]
use crate::proxy::Proxy;

type BoxError = Box<dyn Error + Send + Sync>;

/// Opens TCP connections to the server, or through a proxy if one is switched on.
#[derive(Clone, Debug)]
pub struct TcpConnector {
    tcp: HttpConnector,
    #[cfg(feature = "proxy")]
    proxy: Option<Proxy>,
}

impl TcpConnector {
    pub(crate) fn direct() -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        Self {
            tcp,
            #[cfg(feature = "proxy")]
            proxy: None,
        }
    }

    #[cfg(feature = "proxy")]
    pub(crate) fn through(self, proxy: Option<Proxy>) -> Self {
        Self { proxy, ..self }
    }
}

impl Service<Uri> for TcpConnector {
    type Response = TokioIo<TcpStream>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<TokioIo<TcpStream>, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.tcp.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, server: Uri) -> Self::Future {
        #[cfg(feature = "proxy")]
        if let Some(tunnel) = self.proxy.as_ref().and_then(|proxy| proxy.tunnel(&self.tcp, &server)) {
            return tunnel;
        }
        let connecting = self.tcp.call(server);
        Box::pin(async { Ok(connecting.await?) })
    }
}
