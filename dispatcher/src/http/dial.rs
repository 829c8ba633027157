//! A new connection, to an address that may be dialled and to no other.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use domain::target::{Name, Rules, Target};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use rustls::pki_types::ServerName;
use schemas::attempt::ErrorClass;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::failure::Failure;
use super::resolve::{Names, Resolve};
use super::stream::Stream;

/// The next address is tried beside those before it after this long (RFC 8305, section 5).
const STAGGER: Duration = Duration::from_millis(250);

/// The most addresses of one name that are tried.
const MAX_TRIED: usize = 16;

pub(super) struct Dialer {
    rules: Rules,
    names: Names,
    tls: TlsConnector,
}

/// A connection, ready for HTTP.
pub(super) struct Dialed {
    pub(super) stream: Stream,
    pub(super) address: SocketAddr,
    pub(super) is_http2: bool,
}

impl Dialer {
    pub(super) fn new(rules: Rules, resolver: Arc<dyn Resolve>, tls: TlsConnector) -> Self {
        let names = Names::new(resolver);
        Self { rules, names, tls }
    }

    /// Connects to `target`. `connected` is the address, as soon as there is one.
    pub(super) async fn dial(
        &self,
        target: &Target,
        connected: &mut Option<SocketAddr>,
    ) -> Result<Dialed, Failure> {
        let addresses = self.addresses(target).await?;
        let tcp = connect(&addresses).await;
        let tcp = tcp.map_err(|error| Failure::connect(&error))?;
        let address = self.peer(&tcp)?;
        *connected = Some(address);
        if !target.is_https() {
            return Ok(Dialed {
                stream: Stream::Plain(tcp),
                address,
                is_http2: false,
            });
        }
        let tls = self.tls.connect(server_name(target)?, tcp).await;
        let tls = tls.map_err(|error| Failure::handshake(&error))?;
        let is_http2 = tls.get_ref().1.alpn_protocol() == Some(b"h2");
        Ok(Dialed {
            stream: Stream::Tls(Box::new(tls)),
            address,
            is_http2,
        })
    }

    /// The addresses of `target`, every one of them permitted.
    async fn addresses(&self, target: &Target) -> Result<Vec<SocketAddr>, Failure> {
        let found = match target.name() {
            Name::Address(address) => Arc::from([*address]),
            Name::Domain(name) if is_local(name) => self.loopback(),
            Name::Domain(name) => {
                let unknown = |error: io::Error| {
                    Failure::new(ErrorClass::Dns, format!("{name} was not found: {error}"))
                };
                self.names.resolve(name).await.map_err(unknown)?
            }
        };
        if found.is_empty() {
            return Err(Failure::new(ErrorClass::Dns, "the name has no address"));
        }
        for &address in found.iter() {
            self.check(address)?;
        }
        let tried = found.iter().take(MAX_TRIED);
        Ok(tried.map(|&ip| (ip, target.port()).into()).collect())
    }

    /// A local name's addresses are loopback, whatever a resolver says (RFC 6761, section 6.3): those
    /// that are permitted, which its [`Target`] has made sure of.
    fn loopback(&self) -> Arc<[IpAddr]> {
        let both = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        both.into_iter()
            .filter(|&address| self.rules.permits(address))
            .collect()
    }

    fn check(&self, address: IpAddr) -> Result<(), Failure> {
        if self.rules.permits(address) {
            return Ok(());
        }
        let message = format!("{address} is not a public address");
        Err(Failure::new(ErrorClass::ForbiddenAddress, message))
    }

    /// Who is at the other end: once more, by what the socket says.
    fn peer(&self, tcp: &TcpStream) -> Result<SocketAddr, Failure> {
        let peer = tcp.peer_addr();
        let peer = peer.map_err(|error| Failure::connect(&error))?;
        self.check(peer.ip())?;
        Ok(peer)
    }
}

fn is_local(name: &str) -> bool {
    name == "localhost" || name.ends_with(".localhost")
}

/// The first of `addresses` that answers, each begun a little after the one before, or as soon as
/// that has failed.
async fn connect(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut waiting = addresses.iter();
    let mut trying = FuturesUnordered::new();
    let mut failed = io::Error::from(io::ErrorKind::AddrNotAvailable);
    loop {
        match waiting.next() {
            Some(&address) => trying.push(TcpStream::connect(address)),
            None if trying.is_empty() => return Err(failed),
            None => {}
        }
        let is_last = waiting.as_slice().is_empty();
        tokio::select! {
            biased;
            Some(tried) = trying.next() => match tried {
                Ok(tcp) => {
                    tcp.set_nodelay(true)?;
                    return Ok(tcp);
                }
                Err(error) => failed = error,
            },
            () = tokio::time::sleep(STAGGER), if !is_last => {}
        }
    }
}

fn server_name(target: &Target) -> Result<ServerName<'static>, Failure> {
    match target.name() {
        Name::Address(address) => Ok(ServerName::IpAddress((*address).into())),
        Name::Domain(name) => ServerName::try_from(name.clone())
            .map_err(|error| Failure::new(ErrorClass::Tls, error.to_string())),
    }
}
