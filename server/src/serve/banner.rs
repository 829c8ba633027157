//! What is said once everything runs.

use std::net::SocketAddr;

use super::config::Config;

/// Says where the server is, and what is unsafe about it. To standard error: log lines go there, and
/// whoever waits for the server reads it there.
pub(super) fn show(config: &Config, address: SocketAddr) {
    eprintln!(
        "postrider {} on http://{address}, data in {}",
        env!("CARGO_PKG_VERSION"),
        config.data.display()
    );
    if config.dev {
        eprintln!(
            "  DEVELOPMENT: deliveries reach this machine, plain http and any port. Never serve the world so."
        );
    }
    if !address.ip().is_loopback() {
        eprintln!("  INSECURE: whoever reaches {address} may do everything, no key is asked for.");
    }
}
