//! Tiered delay topics: which tier, when due, the reader that hands over what came due.
