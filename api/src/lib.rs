//! Endpoints and queries over HTTP.
