//! Sealing what must not rest in the clear: the last step before a fact is made.

use std::collections::BTreeMap;

use bytes::Bytes;
use domain::sealing::context;
use domain::signing::Secret;
use schemas::control;
use schemas::ids::EndpointId;
use schemas::scalar::Sealed;

use super::draft::HeaderValue;
use crate::shared::Shared;

/// A secret of `endpoint`, under a new id, as the log holds it.
pub(super) fn secret(shared: &Shared, endpoint: EndpointId, secret: &Secret) -> control::Secret {
    let mut chance = shared.chance.lock();
    let id = format!("sec_{:016x}", chance.next_u64());
    let context = context(&endpoint.to_string(), &id);
    let sealed = shared
        .sealer
        .seal(secret.reveal().as_bytes(), &context, &mut **chance);
    control::Secret {
        id,
        sealed: Sealed(Bytes::from(sealed)),
        until: None,
    }
}

/// The custom headers of `endpoint`, as the log holds them.
pub(super) fn headers(
    shared: &Shared,
    endpoint: EndpointId,
    headers: BTreeMap<String, HeaderValue>,
) -> BTreeMap<String, Sealed> {
    let mut chance = shared.chance.lock();
    let mut seal = |name: &str, value: HeaderValue| match value {
        HeaderValue::Kept(sealed) => sealed,
        HeaderValue::Given(text) => {
            let context = context(&endpoint.to_string(), &format!("header:{name}"));
            let sealed = shared.sealer.seal(text.as_bytes(), &context, &mut **chance);
            Sealed(Bytes::from(sealed))
        }
    };
    let headers = headers.into_iter();
    headers
        .map(|(name, value)| {
            let sealed = seal(&name, value);
            (name, sealed)
        })
        .collect()
}

/// A secret that the log holds; `None` when it doesn't open with this server's key.
pub(super) fn opened(
    shared: &Shared,
    endpoint: EndpointId,
    secret: &control::Secret,
) -> Option<Secret> {
    let context = context(&endpoint.to_string(), &secret.id);
    let text = shared.sealer.open(&secret.sealed.0, &context).ok()?;
    Secret::parse(std::str::from_utf8(&text).ok()?).ok()
}
