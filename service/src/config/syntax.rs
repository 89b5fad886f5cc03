//! What makes a file no TOML, in a person's words.

use std::ops::Range;

use super::fault::clipped;

/// One place where it is none.
pub(super) struct Slip {
    /// Where it stands.
    pub(super) at: Range<usize>,
    /// What is wrong, and what would be right.
    pub(super) words: String,
    /// What comes behind it can still be told from what it was meant to be.
    pub(super) is_local: bool,
}

/// What is wrong, in the order of the text, as far as it can be believed: behind a bracket that is not closed everything is wrong.
pub(super) fn slips(text: &str, errors: &[toml::de::Error]) -> Vec<Slip> {
    let mut slips: Vec<_> = errors.iter().map(|error| slip(text, error)).collect();
    slips.sort_by_key(|slip| slip.at.start);
    if let Some(last) = slips.iter().position(|slip| !slip.is_local) {
        slips.truncate(last + 1);
    }
    // Two about one place say the same.
    slips.dedup_by_key(|slip| line(text, slip.at.start).start);
    slips
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

/// What stands in front of a line's `=`.
fn key_of(line: &str) -> &str {
    line.split('=').next().unwrap_or_default().trim()
}

fn slip(text: &str, error: &toml::de::Error) -> Slip {
    let at = error.span().unwrap_or(0..0);
    let written = clipped(text.get(at.clone()).unwrap_or_default());
    let whole = line(text, at.start);
    let this = text.get(whole).unwrap_or_default().trim();
    // The library says what it met, and behind a comma what it would have taken instead.
    let message = error.message();
    let (met, _) = message.split_once(", expected").unwrap_or((message, ""));
    let (words, is_local) = match met {
        "duplicate key" if this.starts_with('[') => (
            format!(
                "{} stands here for a second time; write all its keys into one section",
                clipped(this)
            ),
            true,
        ),
        "duplicate key" => (
            format!("`{written}` stands here for a second time; remove one of the two"),
            true,
        ),
        "string values must be quoted" if written.is_empty() => (
            format!(
                "`{}` has no value; write it behind the `=`, as key = \"text\" or key = 5",
                clipped(key_of(this))
            ),
            true,
        ),
        "string values must be quoted" => (
            format!("`{written}` is text, and text has to be in quotes: \"{written}\""),
            true,
        ),
        "key with no value" | "missing value for key" | "missing value" => (
            format!(
                "`{}` has no value; write it behind a `=`, as key = \"text\" or key = 5",
                clipped(this.trim_end_matches(['=', ' ']))
            ),
            true,
        ),
        "unclosed table" => (format!("a bracket is missing: write {}]", clipped(this)), false),
        "unclosed array table" => (
            "a bracket is missing: there have to be two on each side, as [[camera]]".to_owned(),
            false,
        ),
        "unclosed array" => (
            "the list that begins here, or before, has no `]` at its end".to_owned(),
            false,
        ),
        "missing comma between array elements" => (
            "here a list goes on without a comma, or its `]` is missing".to_owned(),
            false,
        ),
        "invalid basic string" | "invalid literal string" => {
            ("a quote is missing at the end of a text".to_owned(), false)
        }
        _ => (
            format!("this is no TOML: {}", met.trim().replace('\n', ", ")),
            false,
        ),
    };
    Slip { at, words, is_local }
}
