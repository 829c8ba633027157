//! The whole system in one process and one thread, broken by one seed; and the checker.
