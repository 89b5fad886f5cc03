use std::fmt::{self, Write};

use libsystemd::logging::{self, Priority};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id},
};
use tracing_subscriber::{
    layer::{self, Context},
    registry::LookupSpan,
};

use super::text::{in_one_line, quoted};

/// Sends each event to the journal: the text with its values, as on a terminal, and every value once more as a
/// field of its own (`PINHOLE_VIEWER=…`), so that `journalctl PINHOLE_VIEWER=porch` finds it. The spans that it happens in are
/// values of it, too: the field `name` of a span `camera` is `camera`.
///
/// Journal's native protocol: <https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>.
pub(super) struct Layer {
    program: &'static str,
}

impl Layer {
    pub(super) fn new(program: &'static str) -> Self {
        Self { program }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> layer::Layer<S> for Layer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        keep(attributes, id, &context);
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let metadata = event.metadata();
        let entry = Entry::of(event, &context);
        let origin = [
            ("SYSLOG_IDENTIFIER", self.program.to_owned()),
            ("TARGET", metadata.target().to_owned()),
            ("CODE_FILE", metadata.file().unwrap_or_default().to_owned()),
            ("CODE_LINE", metadata.line().unwrap_or_default().to_string()),
        ];
        let origin = origin.into_iter().map(|(name, value)| (name.to_owned(), value));
        let text = entry.text();
        let sent = logging::journal_send(priority(*metadata.level()), &text, origin.chain(entry.fields));
        if sent.is_err() {
            // The journal restarts; standard error leads to it as well and says at least the words.
            let _ = io_write(&text);
        }
    }
}

fn io_write(text: &str) -> std::io::Result<()> {
    use std::io::Write;
    writeln!(std::io::stderr(), "{text}")
}

fn priority(level: Level) -> Priority {
    match level {
        Level::ERROR => Priority::Error,
        Level::WARN => Priority::Warning,
        Level::INFO => Priority::Info,
        _ => Priority::Debug,
    }
}

/// What one event says.
#[derive(Default)]
struct Entry {
    message: String,
    values: String,
    /// The values by their names in the journal.
    fields: Vec<(String, String)>,
}

/// What a span says, for all events within it.
struct Kept {
    span: &'static str,
    values: Vec<(&'static str, String)>,
}

/// Keeps with a span what it says.
fn keep<S: Subscriber + for<'a> LookupSpan<'a>>(
    attributes: &Attributes<'_>,
    id: &Id,
    context: &Context<'_, S>,
) {
    let mut kept = Kept {
        span: attributes.metadata().name(),
        values: Vec::new(),
    };
    attributes.record(&mut kept);
    if let Some(span) = context.span(id) {
        span.extensions_mut().replace(kept);
    }
}

impl Visit for Kept {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let name = if field.name() == "name" {
            self.span
        } else {
            field.name()
        };
        self.values.push((name, format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
}

impl Entry {
    fn of<S: Subscriber + for<'a> LookupSpan<'a>>(event: &Event<'_>, context: &Context<'_, S>) -> Self {
        let mut entry = Self::default();
        event.record(&mut entry);
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(kept) = span.extensions().get::<Kept>() {
                for (name, value) in &kept.values {
                    entry.value(name, value.clone());
                }
            }
        }
        entry
    }

    fn text(&self) -> String {
        format!("{}{}", in_one_line(&self.message), self.values)
    }

    fn add(&mut self, field: &Field, value: String) {
        if field.name() == "message" {
            self.message = value;
            return;
        }
        self.value(field.name(), value);
    }

    fn value(&mut self, name: &str, value: String) {
        let _ = write!(self.values, " {name}={}", quoted(&value));
        self.fields.push((journal_name(name), value));
    }
}

impl Visit for Entry {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value.to_owned());
    }
}

/// The name that a field of ours has in the journal: upper case, and with a prefix, so that it meets no other's.
fn journal_name(name: &str) -> String {
    let upper = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_uppercase()
        } else {
            '_'
        }
    };
    format!("PINHOLE_{}", name.chars().map(upper).collect::<String>())
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    /// Keeps what the layer above would send.
    #[derive(Clone, Default)]
    struct Sent(Arc<Mutex<Vec<Entry>>>);

    impl<S: Subscriber + for<'a> LookupSpan<'a>> layer::Layer<S> for Sent {
        fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
            keep(attributes, id, &context);
        }

        fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
            let entry = Entry::of(event, &context);
            self.0.lock().expect("one thread").push(entry);
        }
    }

    #[test]
    fn an_event_has_the_values_of_the_spans_around_it() {
        let sent = Sent::default();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(sent.clone()), || {
            let _here = tracing::info_span!("camera", name = %"the garden").entered();
            tracing::info!("encoder started");
        });
        let sent = sent.0.lock().expect("one thread");
        assert_eq!(sent[0].text(), "encoder started camera=\"the garden\"");
        let expected = [("PINHOLE_CAMERA".to_owned(), "the garden".to_owned())];
        assert_eq!(sent[0].fields, expected);
    }

    #[test]
    fn the_text_has_the_values_and_so_have_the_fields() {
        let sent = Sent::default();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(sent.clone()), || {
            tracing::info!(viewer = %"the porch", codec = "VP8", kbps = 12, "viewer connected");
        });
        let expected = vec![
            ("PINHOLE_VIEWER".to_owned(), "the porch".to_owned()),
            ("PINHOLE_CODEC".to_owned(), "VP8".to_owned()),
            ("PINHOLE_KBPS".to_owned(), "12".to_owned()),
        ];
        let sent = sent.0.lock().expect("one thread");
        let [entry] = sent.as_slice() else {
            panic!("one event")
        };
        assert_eq!(
            entry.text(),
            "viewer connected viewer=\"the porch\" codec=VP8 kbps=12"
        );
        assert_eq!(entry.fields, expected);
    }

    #[test]
    fn names_are_such_as_the_journal_takes() {
        assert_eq!(journal_name("retry_in"), "PINHOLE_RETRY_IN");
        assert_eq!(journal_name("otel.name"), "PINHOLE_OTEL_NAME");
    }
}
