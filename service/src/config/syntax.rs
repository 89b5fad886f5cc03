//! What makes a file no TOML, in a person's words.

mod brackets;
mod values;

use std::ops::Range;

use super::fault::clipped;

/// One place where it is none.
pub(super) struct Slip {
    /// Where it stands.
    pub(super) at: Range<usize>,
    /// What is wrong, and what would be right.
    pub(super) words: String,
    pub(super) reach: Reach,
    /// Something stands here for the second time: the section that it is in, or is.
    pub(super) repeated_in: Option<String>,
}

/// How much of the file was read as something that nobody meant. What is wrong with the rest can still be told.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    /// Its line.
    Line,
    /// Its line, which may have been meant as a key that its section lacks now.
    Key,
    /// Everything behind it.
    Rest,
}

impl Slip {
    fn new(at: Range<usize>, reach: Reach, words: impl Into<String>) -> Self {
        Self {
            at,
            words: words.into(),
            reach,
            repeated_in: None,
        }
    }
}

/// Of what is no TOML at all the library says so at every letter.
const MOST_ERRORS: usize = 300;

/// What is wrong, in the order of the text, as far as it can be believed: behind a bracket that is not closed everything is wrong.
pub(super) fn slips(text: &str, errors: &[toml::de::Error]) -> Vec<Slip> {
    let mut met: Vec<_> = errors
        .iter()
        .map(|error| (error.span().map_or(0, |span| span.start), error))
        .collect();
    // A quote that is missing in a list is met before the end of the list, and is why that is not found.
    met.sort_by_key(|(met, _)| *met);
    let met = met.into_iter().take(MOST_ERRORS);
    let mut slips: Vec<_> = met.map(|(met, error)| (met, slip(text, error))).collect();
    truncate(&mut slips, |(_, slip)| slip.reach);
    let mut slips: Vec<_> = slips.into_iter().map(|(_, slip)| slip).collect();
    slips.sort_by_key(|slip| slip.at.start);
    truncate(&mut slips, |slip| slip.reach);
    // Two about one place say the same.
    slips.dedup_by(|second, first| {
        let is_same = line(text, first.at.start) == line(text, second.at.start);
        if is_same {
            first.reach = first.reach.max(second.reach);
        }
        is_same
    });
    slips
}

/// The places behind which the library reads nothing more, although there is only one line wrong: one without a `=`.
pub(super) fn lost<'e>(
    text: &'e str,
    errors: &'e [toml::de::Error],
) -> impl Iterator<Item = &'e toml::de::Error> {
    let is_lost = |error: &&toml::de::Error| {
        let message = error.message();
        message.starts_with("key with no value") || message.starts_with("missing value for key")
    };
    let all = errors.iter().filter(is_lost);
    all.take_while(|error| slip(text, error).reach != Reach::Rest)
}

/// Drops what stands behind one behind which everything is wrong.
fn truncate<T>(slips: &mut Vec<T>, reach: impl Fn(&T) -> Reach) {
    if let Some(last) = slips.iter().position(|slip| reach(slip) == Reach::Rest) {
        slips.truncate(last + 1);
    }
}

/// The line around this place.
pub(super) fn line(text: &str, offset: usize) -> Range<usize> {
    let bytes = text.as_bytes();
    let offset = offset.min(bytes.len());
    let is_end = |byte: &u8| *byte == b'\n';
    let start = bytes[..offset].iter().rposition(is_end).map_or(0, |end| end + 1);
    let end = bytes[offset..]
        .iter()
        .position(is_end)
        .map_or(bytes.len(), |end| offset + end);
    start..end
}

/// The section around this place, from its header to the next.
pub(super) fn section(text: &str, offset: usize) -> Range<usize> {
    let is_header = |start: usize| text[start..].trim_start_matches([' ', '\t']).starts_with('[');
    let mut start = line(text, offset).start;
    while start > 0 && !is_header(start) {
        start = line(text, start - 1).start;
    }
    let mut end = line(text, offset).end;
    while end < text.len() && !is_header(end + 1) {
        end = line(text, end + 1).end;
    }
    start..end
}

/// What stands in front of a line's `=`.
fn key_of(line: &str) -> &str {
    line.split('=').next().unwrap_or_default().trim()
}

/// The name in a section's header, whatever brackets there are.
fn header_name(line: &str) -> &str {
    let header = line.split('#').next().unwrap_or_default();
    header.trim_matches(['[', ']', ' ', '\t'])
}

fn slip(text: &str, error: &toml::de::Error) -> Slip {
    let at = error.span().unwrap_or(0..0);
    let written = clipped(text.get(at.clone()).unwrap_or_default());
    let whole = line(text, at.start);
    let this = text.get(whole).unwrap_or_default().trim();
    // The library says what it met, and behind a comma what it would have taken instead.
    let message = error.message();
    let (met, _) = message.split_once(", expected").unwrap_or((message, ""));
    if let Some(slip) = brackets::slip(text, &at, met) {
        return slip;
    }
    if met == "duplicate key" {
        let section = section(text, at.start).start;
        let header = text.get(line(text, section)).unwrap_or_default();
        let words = if this.starts_with('[') {
            let header = clipped(this);
            format!("{header} stands here for a second time; write all its keys into one section")
        } else {
            format!("`{written}` stands here for a second time; remove one of the two")
        };
        return Slip {
            repeated_in: Some(header_name(header).to_owned()),
            ..Slip::new(at, Reach::Line, words)
        };
    }
    let (reach, words) = match met {
        "key with no value" | "missing value for key" => (Reach::Key, no_value(this)),
        "missing value" => (Reach::Line, no_value(this)),
        "string values must be quoted" if written.is_empty() => (Reach::Line, no_value(this)),
        "extra `=`" => {
            let key = clipped(key_of(this));
            (
                Reach::Line,
                format!("there are two `=` behind `{key}`; write one"),
            )
        }
        "unexpected key or value" => (Reach::Line, values::too_much(text, at.start)),
        "invalid basic string" | "invalid literal string" => match values::curly_end(this) {
            Some(quote) => {
                let words = format!(
                    "this text has a curly quote, {quote}, where it ends; write the straight one with which it begins"
                );
                (Reach::Line, words)
            }
            None => (Reach::Rest, "a quote is missing at the end of a text".to_owned()),
        },
        "missing opening quote" => {
            let value = values::whole(text, at.start);
            let quoted = values::quoted(value.trim_end_matches(['"', '\'']));
            let value = clipped(value);
            let words = format!("the text `{value}` has no quote where it begins: write {quoted}");
            (Reach::Line, words)
        }
        "missing escaped value" => {
            let words = r"a backslash in a text in double quotes stands for a special letter; put the text into single quotes, or write \\ for each";
            (Reach::Line, words.to_owned())
        }
        "invalid comment character" => {
            let words = "a comment has a control character; remove it";
            (Reach::Line, words.to_owned())
        }
        "unquoted keys cannot be empty" if this.starts_with('[') => {
            let words = "a section needs a name in its brackets, as [video]";
            (Reach::Key, words.to_owned())
        }
        "invalid unquoted key" | "unquoted keys cannot be empty" | "invalid key-value pair" => {
            (Reach::Line, no_key(this))
        }
        met if met.starts_with("invalid multi-line") => {
            let words = "a text that begins with three quotes has no three at its end";
            (Reach::Rest, words.to_owned())
        }
        met if met.starts_with("cannot extend value") => {
            let words = format!(
                "`{written}` has a value already, and can't have keys of its own as well; remove one of the two"
            );
            (Reach::Line, words)
        }
        met if values::is_about_one(met) => (Reach::Line, values::unquoted(text, at.start)),
        _ => {
            let met = met.trim().replace('\n', ", ");
            (Reach::Rest, format!("this is no TOML: {met}"))
        }
    };
    Slip::new(at, reach, words)
}

/// Whether it is written as in other kinds of files: `key: value`.
fn has_colon(line: &str) -> bool {
    let is_key = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    let key = line.split(':').next().unwrap_or_default().trim();
    line.contains(':') && !key.is_empty() && key.chars().all(is_key)
}

/// What is to be said of a line without a `=`, or with one in a place where the library does not see it.
fn no_value(line: &str) -> String {
    if line.starts_with("//") {
        return COMMENT.to_owned();
    }
    let before = line.split('#').next().unwrap_or_default();
    match before.split_once('=') {
        None if has_colon(before) => {
            let key = clipped(before.split(':').next().unwrap_or_default().trim());
            format!("`{key}` has a colon behind it; write a `=`, as {key} = ...")
        }
        Some((key, value)) if !value.trim().is_empty() => {
            let key = clipped(key.trim());
            format!("`{key}` can't be a key, which is one word of letters, digits, `-` and `_`")
        }
        _ => {
            let key = clipped(before.trim_end_matches(['=', ' ', '\t']));
            format!("`{key}` has no value; write it behind a `=`, as key = \"text\" or key = 5")
        }
    }
}

/// What is to be said of a line whose key is none.
fn no_key(line: &str) -> String {
    if let Some(quote) = values::curly(key_of(line)) {
        return format!("a key has no quotes, and this one has a curly one, {quote}; leave it out");
    }
    if line.starts_with("//") || (has_colon(line) && !line.contains('=')) {
        return no_value(line);
    }
    "here has to be a key with its value, as fps = 30, or a section in brackets, as [video]; a key has letters, digits, `-` and `_` only"
        .to_owned()
}

const COMMENT: &str = "a comment begins with `#`, and not with `//`";
