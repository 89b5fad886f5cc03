//! The log: to the journal with its fields where standard error leads there, else as text to standard error.

mod journal;

use std::io::{self, IsTerminal};

use tracing::warn;
use tracing_subscriber::{EnvFilter, layer::SubscriberExt, util::SubscriberInitExt};

/// The environment variable with the filter, as `info` or `pinhole_node=debug`.
pub const FILTER: &str = "PINHOLE_LOG";

/// Logs from here on. `usual` is the filter where [`FILTER`] is not set; `program` is the name in the journal.
pub fn start(program: &'static str, usual: &str) {
    let (filter, mistake) = match std::env::var(FILTER) {
        Ok(wanted) if !wanted.trim().is_empty() => match EnvFilter::try_new(&wanted) {
            Ok(filter) => (filter, None),
            Err(error) => (EnvFilter::new(usual), Some(error)),
        },
        _ => (EnvFilter::new(usual), None),
    };
    let registry = tracing_subscriber::registry().with(filter);
    if libsystemd::logging::connected_to_journal() {
        registry.with(journal::Layer::new(program)).init();
    } else {
        let text = tracing_subscriber::fmt::layer()
            .with_writer(io::stderr)
            .with_ansi(io::stderr().is_terminal())
            .with_target(false);
        registry.with(text).init();
    }
    if let Some(error) = mistake {
        warn!("{FILTER} is not a log filter ({error}); logging as usual, which is {usual}");
    }
}
