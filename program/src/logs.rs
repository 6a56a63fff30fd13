//! Structured logs on standard error, switched on by `RUST_LOG`.
//!
//! `RUST_LOG` is a level or a filter: `info`, `warn`, `feed_publisher=debug,...`. `RUST_LOG_FORMAT=json` writes each
//! line as a JSON object. Without `RUST_LOG` nothing is logged.
//!
//! Messages on standard error are the same with and without logs. No single market-data message is ever logged. If nobody
//! reads standard error, lines are dropped and counted: no thread waits for the log.

use tracing_subscriber::EnvFilter;

use crate::log_writer::LogWriter;

/// Starts the logs if the environment asks for them. Reports parts of `RUST_LOG` that it cannot parse on standard
/// error, and ignores them.
pub fn init() {
    let Some(filter) = std::env::var("RUST_LOG").ok().filter(|filter| !filter.is_empty()) else { return };
    let json = std::env::var("RUST_LOG_FORMAT").is_ok_and(|format| format == "json");
    let logs = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::builder().parse_lossy(filter))
        .with_writer(move || LogWriter::new(json))
        .with_ansi(false)
        // A closed standard error is no reason to end. The default would panic.
        .log_internal_errors(false);
    // Fails only if logs are already started.
    let _ = if json { logs.json().try_init() } else { logs.try_init() };
}
