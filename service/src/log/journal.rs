use std::fmt::{self, Write};

use libsystemd::logging::{self, Priority};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::layer::{self, Context};

/// Sends each event to the journal: the text with its values, as on a terminal, and every value once more as a
/// field of its own (`PINHOLE_VIEWER=…`), so that `journalctl PINHOLE_VIEWER=porch` finds it.
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

impl<S: Subscriber> layer::Layer<S> for Layer {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let metadata = event.metadata();
        let mut entry = Entry::default();
        event.record(&mut entry);
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

impl Entry {
    fn text(&self) -> String {
        format!("{}{}", self.message, self.values)
    }

    fn add(&mut self, field: &Field, value: String) {
        if field.name() == "message" {
            self.message = value;
            return;
        }
        let name = field.name();
        let _ = if value.contains(char::is_whitespace) {
            write!(self.values, " {name}={value:?}")
        } else {
            write!(self.values, " {name}={value}")
        };
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
    struct Kept(Arc<Mutex<Vec<Entry>>>);

    impl<S: Subscriber> layer::Layer<S> for Kept {
        fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
            let mut entry = Entry::default();
            event.record(&mut entry);
            self.0.lock().expect("one thread").push(entry);
        }
    }

    #[test]
    fn the_text_has_the_values_and_so_have_the_fields() {
        let kept = Kept::default();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(kept.clone()), || {
            tracing::info!(viewer = %"the porch", codec = "VP8", kbps = 12, "viewer connected");
        });
        let expected = vec![
            ("PINHOLE_VIEWER".to_owned(), "the porch".to_owned()),
            ("PINHOLE_CODEC".to_owned(), "VP8".to_owned()),
            ("PINHOLE_KBPS".to_owned(), "12".to_owned()),
        ];
        let kept = kept.0.lock().expect("one thread");
        let [entry] = kept.as_slice() else {
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
