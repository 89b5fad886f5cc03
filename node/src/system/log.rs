//! The log, on standard error: systemd's journal and a terminal both read it there.

use tracing_subscriber::{EnvFilter, filter::LevelFilter};

/// The environment variable with the filter, as `info` or `pinhole_node=debug`.
pub const FILTER: &str = "PINHOLE_LOG";

/// Logs to standard error from here on: our own words from `info` on, those of libraries from `warn` on.
pub fn start() {
    let filter = match std::env::var(FILTER) {
        Ok(filter) if !filter.is_empty() => EnvFilter::builder().parse_lossy(filter),
        // What the WebRTC core warns of are packets that strangers or old sessions send; a person can do
        // nothing about them.
        _ => EnvFilter::builder()
            .with_default_directive(LevelFilter::WARN.into())
            .parse_lossy("pinhole_node=info,pinhole_signaling=info,rtc=error,rtc_ice=error,rtc_dtls=error,rtc_srtp=error"),
    };
    let terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(terminal)
        .with_target(false)
        .init();
}
