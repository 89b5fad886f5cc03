//! Values in a line of text: one line each, from which a program gets back what was put in, whoever chose the value.

use std::{borrow::Cow, fmt};

use tracing::field::{Field, Visit};
use tracing_subscriber::{
    field::RecordFields,
    fmt::{FormatFields, format::Writer},
};

/// A value as it stands behind `name=`: as it is where that is one word, else in quotes, with `\"`, `\\`, `\n` and the like for what would
/// end the quotes or the line.
pub(super) fn quoted(value: &str) -> Cow<'_, str> {
    let quoted = format!("{value:?}");
    // Braces and the colon end the values of a span, the sign the name of a value.
    let is_mark = |letter: char| letter.is_whitespace() || "={}\"".contains(letter);
    let is_word = !value.is_empty() && !value.contains(is_mark) && quoted.len() == value.len() + 2;
    if is_word {
        Cow::Borrowed(value)
    } else {
        Cow::Owned(quoted)
    }
}

/// The words of a line: they begin it, and need no quotes, but must not end it or draw on the terminal.
pub(super) fn in_one_line(words: &str) -> Cow<'_, str> {
    if !words.contains(char::is_control) {
        return Cow::Borrowed(words);
    }
    let mut line = String::with_capacity(words.len() + 8);
    for letter in words.chars() {
        if letter.is_control() {
            line.extend(letter.escape_default());
        } else {
            line.push(letter);
        }
    }
    Cow::Owned(line)
}

/// Writes events and spans as `the words name=value name="a value"`.
pub(super) struct Fields;

impl<'w> FormatFields<'w> for Fields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut line = Line {
            writer,
            is_first: true,
            outcome: Ok(()),
        };
        fields.record(&mut line);
        line.outcome
    }
}

struct Line<'w> {
    writer: Writer<'w>,
    is_first: bool,
    outcome: fmt::Result,
}

impl Line<'_> {
    fn add(&mut self, field: &Field, value: &str) {
        let name = field.name();
        // What the bridge from the crate `log` adds is about the place in the code.
        if self.outcome.is_ok() && !name.starts_with("log.") {
            self.outcome = self.write(name.trim_start_matches("r#"), value);
        }
    }

    fn write(&mut self, name: &str, value: &str) -> fmt::Result {
        if !std::mem::take(&mut self.is_first) {
            self.writer.write_char(' ')?;
        }
        if name == "message" {
            return self.writer.write_str(&in_one_line(value));
        }
        let value = quoted(value);
        if self.writer.has_ansi_escapes() {
            write!(self.writer, "\x1b[2m{name}=\x1b[0m{value}")
        } else {
            write!(self.writer, "{name}={value}")
        }
    }
}

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("one thread").extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(has_colours: bool, log: impl FnOnce()) -> String {
        let written = Written::default();
        let writer = written.clone();
        let layer = super::super::text_layer(has_colours, move || writer.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), log);
        let bytes = written.0.lock().expect("one thread").clone();
        String::from_utf8(bytes).expect("UTF-8")
    }

    #[test]
    fn a_value_that_is_one_word_stands_as_it_is_and_others_in_quotes() {
        for (value, expected) in [
            ("VP8", "VP8"),
            ("[::1]:8888", "[::1]:8888"),
            ("현관", "현관"),
            ("the porch", "\"the porch\""),
            ("", "\"\""),
            ("a\"b", "\"a\\\"b\""),
            ("a\\b", "\"a\\\\b\""),
            ("a=b", "\"a=b\""),
            ("}: x", "\"}: x\""),
            ("a\nINFO b", "\"a\\nINFO b\""),
            ("\x1b[2J", "\"\\u{1b}[2J\""),
            ("a\u{2028}b", "\"a\\u{2028}b\""),
            ("\u{202e}gpj", "\"\\u{202e}gpj\""),
        ] {
            assert_eq!(quoted(value), expected);
        }
    }

    #[test]
    fn nobody_s_name_makes_a_line_or_a_value_of_its_own() {
        let name = "porch\n2026-01-01 ERROR gone viewer=x";
        let log = written(false, || {
            let _span = tracing::info_span!("camera", name = %name).entered();
            tracing::info!(viewer = %name, codec = "VP8", kbps = 12, "viewer {name} connected");
        });
        let name = "\"porch\\n2026-01-01 ERROR gone viewer=x\"";
        let expected = format!(
            " INFO camera{{name={name}}}: viewer porch\\n2026-01-01 ERROR gone viewer=x connected viewer={name} codec=VP8 kbps=12\n"
        );
        assert!(log.ends_with(&expected), "{log}");
        assert_eq!(log.lines().count(), 1, "{log}");
    }

    #[test]
    fn colours_are_there_only_where_they_are_wanted() {
        for has_colours in [true, false] {
            let log = written(has_colours, || tracing::warn!(viewer = "porch", "gone"));
            assert_eq!(log.contains('\x1b'), has_colours, "{log:?}");
        }
    }
}
