//! The routes, as a client sees them.

mod changes;
mod codes;
mod endpoints;
mod pages;
mod problems;
mod queries;
mod secrets;
mod seeds;
mod totals;
mod world;
