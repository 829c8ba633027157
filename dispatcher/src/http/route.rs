//! What a URL says, worked out once.

use std::sync::Arc;

use domain::target::{Rules, Target};
use http::{HeaderValue, Uri};
use schemas::attempt::ErrorClass;

use super::failure::Failure;
use super::pool::{Pool, Pools};

pub(super) struct Route {
    /// What it was worked out from.
    pub(super) url: Arc<str>,
    pub(super) target: Target,
    /// What HTTP/1.1 asks for.
    pub(super) origin_form: Uri,
    pub(super) host: HeaderValue,
    /// What HTTP/2 asks for, which has no `host`.
    pub(super) absolute: Uri,
    /// The connections to its origin.
    pub(super) pool: Arc<Pool>,
}

impl Route {
    pub(super) fn new(url: &Arc<str>, rules: &Rules, pools: &Pools) -> Result<Self, Failure> {
        let target = Target::parse(url, rules).map_err(|bad| {
            // What the api took and the rules of today refuse.
            Failure::new(ErrorClass::ForbiddenAddress, bad.to_string())
        })?;
        let unusable = |_| Failure::new(ErrorClass::Protocol, "the URL makes no request");
        let origin_form = Uri::try_from(target.path_and_query()).map_err(unusable)?;
        let absolute = Uri::try_from(target.to_string()).map_err(unusable)?;
        let host = HeaderValue::from_str(target.authority());
        let host = host.map_err(|_| Failure::new(ErrorClass::Protocol, "the URL makes no host"))?;
        let pool = pools.of((target.is_https(), target.name().clone(), target.port()));
        Ok(Self {
            url: Arc::clone(url),
            target,
            origin_form,
            host,
            absolute,
            pool,
        })
    }
}
