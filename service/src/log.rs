//! The log: to the journal with its fields where standard error leads there, else as text to standard error.

mod filter;
mod journal;
mod text;

use std::io::{self, IsTerminal, Write};

use tracing::Subscriber;
use tracing_subscriber::{
    Layer, fmt::MakeWriter, layer::SubscriberExt, registry::LookupSpan, util::SubscriberInitExt,
};

/// The environment variable with the filter, as `debug` or `pinhole_node=debug`: a level is that of everything, and one of a target
/// changes that target only.
pub const FILTER: &str = "PINHOLE_LOG";

/// The environment variable that switches colours off, whatever it says (<https://no-color.org>).
const NO_COLOR: &str = "NO_COLOR";

/// Logs from here on. `usual` is the filter where [`FILTER`] says nothing else; `program` is the name in the journal.
pub fn start(program: &'static str, usual: &str) {
    let wanted = std::env::var_os(FILTER).unwrap_or_default();
    // What is no text is no directive either, and named with the others.
    let (filter, mistakes) = filter::filter(usual, &wanted.to_string_lossy());
    let registry = tracing_subscriber::registry().with(filter);
    if libsystemd::logging::connected_to_journal() {
        registry.with(journal::Layer::new(program)).init();
    } else {
        registry.with(text_layer(has_colours(), io::stderr)).init();
    }
    // Not in the log, which may be silent by the same filter.
    for mistake in mistakes {
        let _ = writeln!(
            io::stderr(),
            "{program}: {FILTER}: {mistake}; this part is ignored"
        );
    }
}

/// Whether a person looks at standard error, and wants colours.
fn has_colours() -> bool {
    let is_unwanted = std::env::var_os(NO_COLOR).is_some_and(|value| !value.is_empty());
    io::stderr().is_terminal() && !is_unwanted
}

/// Lines of text: time, level, the spans around, words and values.
fn text_layer<S, W>(has_colours: bool, writer: W) -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    tracing_subscriber::fmt::layer()
        .fmt_fields(text::Fields)
        .with_writer(writer)
        .with_ansi(has_colours)
        .with_target(false)
}
