//! Views and idempotency keys on local disk: the fjall adapter.
