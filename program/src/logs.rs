//! Structured logs on standard error, for who asks for them: `RUST_LOG=info` (or `warn`, or `feed_publisher=debug,...`), and
//! `RUST_LOG_FORMAT=json` for a JSON object on each line. Without `RUST_LOG` nothing is logged.
//!
//! What a program says anyway it says with and without logs. Nothing is logged for a message.

use std::io;

use tracing_subscriber::EnvFilter;

/// Begins to log, if the environment asks for it. What of `RUST_LOG` cannot be understood is said on standard error and
/// ignored.
pub fn init() {
    let Some(filter) = std::env::var("RUST_LOG").ok().filter(|filter| !filter.is_empty()) else { return };
    let json = std::env::var("RUST_LOG_FORMAT").is_ok_and(|format| format == "json");
    let logs = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::builder().parse_lossy(filter))
        .with_writer(io::stderr)
        .with_ansi(false)
        // Whoever closed standard error does not want to know; the default would panic about it.
        .log_internal_errors(false);
    // Fails only if it was done before.
    let _ = if json { logs.json().try_init() } else { logs.try_init() };
}
