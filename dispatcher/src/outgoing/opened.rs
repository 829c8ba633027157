//! Secrets, opened.

use std::fmt;
use std::sync::Arc;

use control::Current;
use domain::custom_headers;
use domain::sealing::{self, Sealer};
use domain::signing::Secret;
use domain::time::Timestamp;
use http::header::{HeaderName, USER_AGENT};
use http::{HeaderMap, HeaderValue};
use parking_lot::Mutex;
use schemas::control::{Algorithm, Endpoint};
use schemas::ids::EndpointId;
use schemas::scalar::Sealed;

use crate::generations::Generations;

const AGENT: HeaderValue =
    HeaderValue::from_static(concat!("Postrider/", env!("CARGO_PKG_VERSION")));

/// How many endpoints' opened secrets are kept: about 1 KiB each.
const CAPACITY: usize = 16_384;

/// An endpoint whose requests can't be made. Nothing may be sent to it until that changes.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// What is sealed does not open: the server runs with another secret key than sealed it.
    #[error("{what} of endpoint {endpoint} does not open with this server's secret key")]
    NotOurs {
        /// The endpoint.
        endpoint: EndpointId,
        /// The secret's id, or the header.
        what: String,
    },
    /// What was sealed is no secret, or no header's value. Nobody of ours sealed such.
    #[error("{what} of endpoint {endpoint} can't be used")]
    Unusable {
        /// The endpoint.
        endpoint: EndpointId,
        /// The secret's id, or the header.
        what: String,
    },
    /// It signs with a kind of key that is not built yet.
    #[error("endpoint {endpoint} signs with ed25519, which is not supported yet")]
    Algorithm {
        /// The endpoint.
        endpoint: EndpointId,
    },
}

/// A key that is ready to sign.
pub(super) struct Key {
    pub(super) id: String,
    pub(super) secret: Secret,
    until: Option<Timestamp>,
}

/// An endpoint's keys, and the headers that are the same in all of its requests. Its `Debug` shows
/// neither.
pub struct OpenedSecrets {
    keys: Vec<Key>,
    fixed: HeaderMap,
}

impl fmt::Debug for OpenedSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OpenedSecrets(…)")
    }
}

impl OpenedSecrets {
    /// Opens what `endpoint` has.
    ///
    /// # Errors
    /// When any of it does not open, or makes no key.
    pub fn open(sealer: &Sealer, endpoint: &Endpoint) -> Result<Self, OpenError> {
        match endpoint.algorithm {
            Algorithm::HmacSha256 => {}
            Algorithm::Ed25519 => {
                let endpoint = endpoint.id;
                return Err(OpenError::Algorithm { endpoint });
            }
        }
        let id = endpoint.id.to_string();
        let open = |sealed: &Sealed, what: &str| {
            let not_ours = |_| OpenError::NotOurs {
                endpoint: endpoint.id,
                what: what.to_owned(),
            };
            let opened = sealer.open(&sealed.0, &sealing::context(&id, what));
            opened.map_err(not_ours)
        };
        Ok(Self {
            keys: keys(endpoint, open)?,
            fixed: fixed(endpoint, open)?,
        })
    }

    pub(super) const fn fixed(&self) -> &HeaderMap {
        &self.fixed
    }

    /// The keys that sign at `now`, newest first.
    pub(super) fn valid_at(&self, now: Timestamp) -> impl Iterator<Item = &Key> {
        let valid = move |key: &&Key| key.until.is_none_or(|until| now < until);
        self.keys.iter().filter(valid)
    }
}

fn unusable(endpoint: &Endpoint, what: &str) -> OpenError {
    OpenError::Unusable {
        endpoint: endpoint.id,
        what: what.to_owned(),
    }
}

fn keys(
    endpoint: &Endpoint,
    open: impl Fn(&Sealed, &str) -> Result<Vec<u8>, OpenError>,
) -> Result<Vec<Key>, OpenError> {
    let key = |sealed: &schemas::control::Secret| {
        let opened = String::from_utf8(open(&sealed.sealed, &sealed.id)?);
        let secret = opened.ok().and_then(|text| Secret::parse(&text).ok());
        Ok(Key {
            secret: secret.ok_or_else(|| unusable(endpoint, &sealed.id))?,
            id: sealed.id.clone(),
            until: sealed.until.map(|at| at.0),
        })
    };
    endpoint.secrets.iter().map(key).collect()
}

fn fixed(
    endpoint: &Endpoint,
    open: impl Fn(&Sealed, &str) -> Result<Vec<u8>, OpenError>,
) -> Result<HeaderMap, OpenError> {
    let mut headers = HeaderMap::with_capacity(1 + endpoint.custom_headers.len());
    for (name, sealed) in &endpoint.custom_headers {
        // The api takes none of these; whatever wrote this one, it does not replace ours.
        if custom_headers::is_reserved(name) {
            continue;
        }
        let what = format!("header:{}", name.to_ascii_lowercase());
        let opened = open(sealed, &what)?;
        let header = HeaderName::try_from(name.as_str()).ok();
        let pair = header.zip(HeaderValue::try_from(opened).ok());
        let (header, mut value) = pair.ok_or_else(|| unusable(endpoint, &what))?;
        value.set_sensitive(true);
        headers.insert(header, value);
    }
    headers.insert(USER_AGENT, AGENT);
    Ok(headers)
}

/// Opens secrets, and keeps them as long as their endpoint does not change.
#[derive(Debug)]
pub struct Opener {
    sealer: Sealer,
    opened: Mutex<Generations<EndpointId, (u64, Arc<OpenedSecrets>)>>,
}

impl Opener {
    /// One that opens with `sealer`.
    #[must_use]
    pub fn new(sealer: Sealer) -> Self {
        Self {
            sealer,
            opened: Mutex::new(Generations::new(CAPACITY)),
        }
    }

    /// The secrets of the endpoint as `current` has it.
    ///
    /// # Errors
    /// As [`OpenedSecrets::open`].
    pub fn open(&self, current: &Current) -> Result<Arc<OpenedSecrets>, OpenError> {
        let id = current.endpoint.id;
        if let Some((version, opened)) = self.opened.lock().get(&id)
            && *version == current.version
        {
            return Ok(Arc::clone(opened));
        }
        let opened = Arc::new(OpenedSecrets::open(&self.sealer, &current.endpoint)?);
        let entry = (current.version, Arc::clone(&opened));
        self.opened.lock().insert(id, entry);
        Ok(opened)
    }
}
