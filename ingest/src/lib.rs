//! Events in: the HTTP door and the router.
