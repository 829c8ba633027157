//! Where a delivery may go. A URL is read once, into a [`Target`], by the rules of the WHATWG's URL
//! standard, which is what turns every spelling of an address into that address; what two readers
//! might understand differently is refused.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use url::{Host, Url};

use crate::address;

/// The longest URL, in bytes: what the wider web can be relied on to take.
pub const MAX_URL: usize = 2_048;

/// What an operator allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Networks that may be dialled although they are not public.
    pub allowed: Vec<IpNet>,
    /// The ports that may be dialled; `None`: all of them.
    pub ports: Option<BTreeSet<u16>>,
    /// Whether plain `http` is refused.
    pub https_only: bool,
}

impl Default for Rules {
    /// Public addresses, at the two ports of the web.
    fn default() -> Self {
        Self {
            allowed: Vec::new(),
            ports: Some(BTreeSet::from([80, 443])),
            https_only: false,
        }
    }
}

impl Rules {
    /// What one needs at a desk: loopback, plain http and any port, beside what is public.
    #[must_use]
    pub fn development() -> Self {
        let net = |address: IpAddr, length| IpNet::new_assert(address, length);
        Self {
            allowed: vec![
                net(IpAddr::from([127, 0, 0, 0]), 8),
                net(IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]), 128),
            ],
            ports: None,
            https_only: false,
        }
    }

    /// Whether `address` may be dialled: it is public, or in an allowed network. An address that is
    /// mapped into IPv6 counts as what it maps.
    #[must_use]
    pub fn permits(&self, address: IpAddr) -> bool {
        let address = address::unmapped(address);
        address::is_public(address) || self.allowed.iter().any(|net| net.contains(&address))
    }

    fn permits_port(&self, port: u16) -> bool {
        port != 0
            && self
                .ports
                .as_ref()
                .is_none_or(|ports| ports.contains(&port))
    }
}

/// Whom a URL names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Name {
    /// A name to be resolved, in lower case and ASCII, without a dot at its end.
    Domain(String),
    /// An address that was written out. It is permitted.
    Address(IpAddr),
}

/// A URL that may be dialled as far as it can be told before its name is resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    name: Name,
    port: u16,
    is_https: bool,
    authority: String,
    path_and_query: String,
}

/// A URL that is no target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTarget {
    /// It can't be read, or not by everybody alike.
    #[error("{0}")]
    Malformed(&'static str),
    /// Neither `http` nor `https`, or `http` where only `https` may be.
    #[error("{0}")]
    Scheme(&'static str),
    /// A port that may not be dialled.
    #[error("port {0} is not allowed")]
    Port(u16),
    /// An address, or the name of one, that may not be dialled.
    #[error("{0} is not a public address")]
    Address(String),
}

impl BadTarget {
    /// Whether the URL is well-formed and forbidden; else it is no URL.
    #[must_use]
    pub const fn is_forbidden(&self) -> bool {
        match self {
            Self::Malformed(_) => false,
            Self::Scheme(_) | Self::Port(_) | Self::Address(_) => true,
        }
    }
}

impl Target {
    /// Reads `url`. Addresses that are written out are looked at here; those that a name resolves to
    /// have to be looked at when it is resolved.
    ///
    /// # Errors
    /// When it is no URL that everybody reads alike, or `rules` forbid it.
    pub fn parse(url: &str, rules: &Rules) -> Result<Self, BadTarget> {
        check_text(url)?;
        let read = Url::parse(url).map_err(|_| BadTarget::Malformed("the URL can't be read"))?;
        let is_https = scheme(&read, rules)?;
        let name = name(&read, rules)?;
        let port = read.port().unwrap_or(if is_https { 443 } else { 80 });
        if !rules.permits_port(port) {
            return Err(BadTarget::Port(port));
        }
        let path_and_query = match read.query() {
            Some(query) => format!("{}?{query}", read.path()),
            None => read.path().to_owned(),
        };
        Ok(Self {
            authority: authority(&name, read.port()),
            name,
            port,
            is_https,
            path_and_query,
        })
    }

    /// Whom it names.
    #[must_use]
    pub const fn name(&self) -> &Name {
        &self.name
    }

    /// The port, the scheme's own where the URL has none.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Whether it is `https`.
    #[must_use]
    pub const fn is_https(&self) -> bool {
        self.is_https
    }

    /// What the header `host` says: the name, and the port where it is not the scheme's own.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// What is asked for: begins with `/`.
    #[must_use]
    pub fn path_and_query(&self) -> &str {
        &self.path_and_query
    }
}

/// The URL as it was understood, without the fragment, which is never sent.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_https { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority, self.path_and_query)
    }
}

/// Refuses what the URL standard forgives and other readers do not, or the other way round.
fn check_text(url: &str) -> Result<(), BadTarget> {
    let malformed = |problem| Err(BadTarget::Malformed(problem));
    if url.len() > MAX_URL {
        return malformed("the URL is longer than 2048 bytes");
    }
    if url.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return malformed("the URL has white space or control characters");
    }
    if url.contains('\\') {
        return malformed("the URL has a backslash");
    }
    let Some((scheme, rest)) = url.split_once("://") else {
        return malformed("the URL has no scheme and no ://");
    };
    let is_scheme = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
    if scheme.is_empty() || !scheme.bytes().all(is_scheme) {
        return malformed("the URL has no scheme");
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.is_empty() {
        return malformed("the URL has no host");
    }
    if authority.contains('@') {
        return malformed("the URL has a user name or a password");
    }
    if authority.ends_with(':') {
        return malformed("the URL has a colon and no port");
    }
    Ok(())
}

fn scheme(url: &Url, rules: &Rules) -> Result<bool, BadTarget> {
    match url.scheme() {
        "https" => Ok(true),
        "http" if rules.https_only => Err(BadTarget::Scheme("only https is allowed")),
        "http" => Ok(false),
        _ => Err(BadTarget::Scheme("only http and https are allowed")),
    }
}

fn name(url: &Url, rules: &Rules) -> Result<Name, BadTarget> {
    let address = match url.host() {
        Some(Host::Domain(domain)) => return self::domain(domain, rules),
        Some(Host::Ipv4(v4)) => IpAddr::V4(v4),
        Some(Host::Ipv6(v6)) => IpAddr::V6(v6),
        None => return Err(BadTarget::Malformed("the URL has no host")),
    };
    let address = address::unmapped(address);
    if rules.permits(address) {
        Ok(Name::Address(address))
    } else {
        Err(BadTarget::Address(address.to_string()))
    }
}

fn domain(domain: &str, rules: &Rules) -> Result<Name, BadTarget> {
    let domain = domain.strip_suffix('.').unwrap_or(domain);
    let fits = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    // RFC 1035, section 2.3.4; an underscore is no host name's, and met all the same.
    if domain.len() > 253 || !domain.split('.').all(fits) {
        return Err(BadTarget::Malformed("the URL's host is no name"));
    }
    // RFC 6761, section 6.3: these are loopback, whatever a resolver says.
    let is_local = domain == "localhost" || domain.ends_with(".localhost");
    let loopback = [
        IpAddr::from([127, 0, 0, 1]),
        IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
    ];
    if is_local && !loopback.iter().any(|&address| rules.permits(address)) {
        return Err(BadTarget::Address(domain.to_owned()));
    }
    Ok(Name::Domain(domain.to_owned()))
}

fn authority(name: &Name, port: Option<u16>) -> String {
    let host = match name {
        Name::Domain(domain) => domain.clone(),
        Name::Address(IpAddr::V4(v4)) => v4.to_string(),
        Name::Address(IpAddr::V6(v6)) => format!("[{v6}]"),
    };
    match port {
        Some(port) => format!("{host}:{port}"),
        None => host,
    }
}

#[cfg(test)]
mod tests;
