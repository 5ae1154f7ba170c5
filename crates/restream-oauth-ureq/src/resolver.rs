//! The order in which a server's addresses are tried.
//!
//! ureq tries one address after the other, and gives the first of two addresses two thirds of the time for connecting.
//! Most systems list IPv6 addresses first. In many home networks IPv6 is announced but does not work. There, 6.7 of 10
//! seconds would pass before ureq tries IPv4. IPv4 that is announced but does not work is rare, and without IPv4 a
//! connection fails at once. Therefore IPv4 comes first and the families alternate. RFC 8305 §4 prefers IPv6, but its
//! clients try several addresses at a time.

use std::net::SocketAddr;

use http::Uri;
use ureq::config::Config;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// The addresses that another resolver finds, IPv4 and IPv6 by turns.
#[derive(Debug, Default)]
pub(crate) struct Ipv4First<R = DefaultResolver>(R);

impl<R: Resolver> Resolver for Ipv4First<R> {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let mut addresses = self.0.resolve(uri, config, timeout)?;
        let by_turns = by_turns(&addresses);
        for (place, address) in addresses.iter_mut().zip(by_turns) {
            *place = address;
        }
        Ok(addresses)
    }
}

/// Orders addresses by turns, IPv4 first. Within a family the order stays.
fn by_turns(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let (mut ordered, mut counts) = (Vec::new(), [0_usize; 2]);
    for address in addresses {
        let family = usize::from(address.is_ipv6());
        if let Some(count) = counts.get_mut(family) {
            ordered.push((*count, family, *address));
            *count = count.saturating_add(1);
        }
    }
    ordered.sort_by_key(|(turn, family, _)| (*turn, *family));
    ordered.into_iter().map(|(_, _, address)| address).collect()
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv6Addr, TcpListener, TcpStream};
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use restream_oauth_core::error::{ErrorCode, ErrorKind};
    use restream_oauth_core::{Client, Endpoints, RefreshToken};
    use restream_oauth_sandbox::Sandbox;
    use socket2::{Domain, Socket, Type};
    use ureq::Agent;
    use ureq::unversioned::transport::{ConnectionDetails, Connector, TcpConnector};

    use super::*;
    use crate::{Limits, Transport};

    #[test]
    fn ipv4_comes_first_and_the_families_alternate() {
        let cases: [(&[&str], &[&str]); 6] = [
            (&["[2001:db8::1]:443", "192.0.2.1:443"], &["192.0.2.1:443", "[2001:db8::1]:443"]),
            (
                &["[2001:db8::1]:1", "[2001:db8::2]:1", "192.0.2.1:1", "192.0.2.2:1"],
                &["192.0.2.1:1", "[2001:db8::1]:1", "192.0.2.2:1", "[2001:db8::2]:1"],
            ),
            (
                &["192.0.2.1:1", "192.0.2.2:1", "192.0.2.3:1", "[2001:db8::1]:1"],
                &["192.0.2.1:1", "[2001:db8::1]:1", "192.0.2.2:1", "192.0.2.3:1"],
            ),
            (&["[2001:db8::1]:1", "[2001:db8::2]:1"], &["[2001:db8::1]:1", "[2001:db8::2]:1"]),
            (&["192.0.2.2:1", "192.0.2.1:1"], &["192.0.2.2:1", "192.0.2.1:1"]),
            (&[], &[]),
        ];
        let parsed = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<SocketAddr>>();
        for (found, tried) in cases {
            assert_eq!(by_turns(&parsed(found)), parsed(tried), "{found:?}");
        }
    }

    /// Finds these addresses, IPv6 first, as most systems do.
    #[derive(Debug)]
    struct Finds([SocketAddr; 2]);

    impl Resolver for Finds {
        fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
            let mut found = self.empty();
            self.0.into_iter().for_each(|address| found.push(address));
            Ok(found)
        }
    }

    /// Connects as usual, and records the order of the addresses.
    #[derive(Debug)]
    struct Watching(Arc<Mutex<Vec<SocketAddr>>>);

    impl Connector for Watching {
        type Out = <TcpConnector as Connector>::Out;

        fn connect(&self, details: &ConnectionDetails<'_>, _: Option<()>) -> Result<Option<Self::Out>, ureq::Error> {
            *self.0.lock().unwrap() = details.addrs.to_vec();
            TcpConnector::default().connect(details, None)
        }
    }

    /// ureq #1083, #1150.
    #[test]
    fn an_ipv6_address_that_does_not_work_is_not_tried_before_ipv4() {
        let sandbox = Sandbox::start().unwrap();
        let ipv4: SocketAddr = sandbox.base_url().strip_prefix("http://").unwrap().parse().unwrap();
        let ipv6 = SocketAddr::from((Ipv6Addr::LOCALHOST, ipv4.port()));
        let _black_hole = black_hole(ipv6);

        let tried = Arc::default();
        let resolver = Ipv4First(Finds([ipv6, ipv4]));
        let agent = Agent::with_parts(Config::default(), Watching(Arc::clone(&tried)), resolver);
        let transport = Transport::with_agent(agent, Limits::default());
        let client = Client::builder(sandbox.client_id()).secret(sandbox.client_secret().unwrap());
        let client = client.redirect_uri(&sandbox.redirect_uris()[0]).endpoints(Endpoints::at(sandbox.base_url()));
        let error = transport.send(client.build().unwrap().refresh(&RefreshToken::new("dead"))).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Refused(ErrorCode::InvalidGrant));
        assert_eq!(*tried.lock().unwrap(), [ipv4, ipv6]);
    }

    #[test]
    fn every_agent_of_this_crate_uses_this_order() {
        let transports = [Transport::new().unwrap(), Transport::builder().build().unwrap()];
        for transport in transports {
            assert!(format!("{transport:?}").contains("Ipv4First"), "{transport:?}");
        }
    }

    /// A listener with a full backlog. Linux leaves a further connection pending; other systems refuse it.
    fn black_hole(address: SocketAddr) -> (TcpListener, Vec<TcpStream>) {
        let listener = Socket::new(Domain::IPV6, Type::STREAM, None).unwrap();
        listener.bind(&address.into()).unwrap();
        listener.listen(0).unwrap();
        let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(200)).ok();
        (listener.into(), std::iter::from_fn(connect).collect())
    }
}
