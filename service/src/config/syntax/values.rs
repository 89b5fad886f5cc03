//! Values that are none.

use super::{COMMENT, key_of, line};
use crate::config::fault::clipped;

/// What editors, web pages and telephones make of straight quotes.
const CURLY: &[char] = &['“', '”', '„', '‟', '‘', '’', '‚', '‛', '«', '»'];

/// What people write for a switch that is on, or off.
const SWITCHES: [&str; 4] = ["yes", "on", "no", "off"];

/// The first curly quote in it.
pub(super) fn curly(text: &str) -> Option<char> {
    text.chars().find(|letter| CURLY.contains(letter))
}

/// The curly quote at its end.
pub(super) fn curly_end(text: &str) -> Option<char> {
    text.chars().next_back().filter(|letter| CURLY.contains(letter))
}

/// Whether what the library says is about a value that is neither a text in quotes nor anything else.
pub(super) fn is_about_one(met: &str) -> bool {
    met == "string values must be quoted"
        || (met.starts_with("invalid ") && !met.ends_with("string"))
        || met.starts_with("unexpected leading zero")
        || met.starts_with("unexpected sign")
        || met.starts_with("redundant ")
        || met.contains("radix")
        || met.starts_with("`_` may only")
        // Of numbers and dates that are read only later, in the library's words for those.
        || met.contains("date")
        || met.contains("time")
}

/// All of the value of which this place is a part: up to the end of its line, or of its place in a list.
pub(super) fn whole(text: &str, offset: usize) -> &str {
    let around = line(text, offset);
    let line = text.get(around.clone()).unwrap_or_default();
    let before = line.get(..offset - around.start).unwrap_or(line);
    let equals = before.find('=').map_or(0, |equals| equals + 1);
    // A comma in a value that stands alone is a part of it.
    let is_listed = before[equals..].trim_start().starts_with(['[', '{']);
    let (start, ends): (_, &[char]) = if is_listed {
        let start = before.rfind(['=', '[', '{', ',']);
        (start.map_or(0, |start| start + 1), &['#', ',', ']', '}'])
    } else {
        (equals, &['#'])
    };
    let value = &line[start..];
    value.split(ends).next().unwrap_or_default().trim()
}

/// A text in the quotes that it can have.
pub(super) fn quoted(text: &str) -> String {
    let text = clipped(text);
    if text.contains(['"', '\\']) {
        format!("'{text}'")
    } else {
        format!("\"{text}\"")
    }
}

/// A value that needs quotes, or is a number or a switch and not written as one.
pub(super) fn unquoted(text: &str, offset: usize) -> String {
    let value = whole(text, offset);
    let shown = clipped(value);
    let small = value.to_lowercase();
    let bare = value.trim_end_matches([';', ',']);
    if let Some(quote) = value.chars().next().filter(|letter| CURLY.contains(letter)) {
        let inner = value.trim_matches(CURLY);
        return format!(
            "`{shown}` has curly quotes, {quote}, as text programs make them; write straight ones: {}",
            quoted(inner)
        );
    }
    if bare != value && is_value(bare) {
        return format!(
            "`{shown}` has something behind its value; write {}",
            clipped(bare)
        );
    }
    match small.as_str() {
        "true" | "false" => format!("`{shown}` is written in small letters: {small}"),
        small if SWITCHES.contains(&small) => {
            let is = if ["yes", "on"].contains(&small) {
                "true"
            } else {
                "false"
            };
            format!(
                "`{shown}` has to be {is} where something is switched, and in quotes, \"{shown}\", where a text belongs"
            )
        }
        _ if is_number(value) => match value.replace(',', ".") {
            point if point != value && is_value(&point) => {
                format!("`{shown}` has a comma; a number has a point: {point}")
            }
            _ => match value.trim_start_matches('0') {
                less if is_value(less) => format!("`{shown}` begins with a zero; write {less}"),
                _ => format!("`{shown}` is no number as TOML has them, which are written as 7, -7 or 7.5"),
            },
        },
        _ if value.contains('\'') && value.contains(['"', '\\']) => {
            format!("`{shown}` is text, and text has to be in quotes")
        }
        _ => format!(
            "`{shown}` is text, and text has to be in quotes: {}",
            quoted(value)
        ),
    }
}

/// What stands behind a value in its line.
pub(super) fn too_much(text: &str, offset: usize) -> String {
    let around = line(text, offset);
    let line = text.get(around.clone()).unwrap_or_default();
    let (before, rest) = line.split_at_checked(offset - around.start).unwrap_or((line, ""));
    let (key, value) = (
        clipped(key_of(line)),
        before.split_once('=').map_or("", |(_, value)| value).trim(),
    );
    let rest = rest.split(" #").next().unwrap_or_default().trim();
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if let Some(fraction) = rest.strip_prefix(',').filter(|fraction| digits(fraction))
        && digits(value.trim_start_matches(['-', '+']))
    {
        return format!("`{value},{fraction}` has a comma; a number has a point: {value}.{fraction}");
    }
    if rest.starts_with("//") {
        return COMMENT.to_owned();
    }
    if [",", ";"].contains(&rest) {
        return format!("there is a `{rest}` at the end of this line; remove it");
    }
    // Such as `the "porch"`, of which the first word only was taken.
    if !value.is_empty() && !is_value(value) {
        return unquoted(text, offset);
    }
    format!(
        "`{key}` has its value already, and `{}` is too much; write what comes next into a line of its own",
        clipped(rest.trim_start_matches([',', ';', ' ']))
    )
}

fn is_number(value: &str) -> bool {
    let is_part = |letter: char| letter.is_ascii_digit() || "._,eE".contains(letter);
    let value = value.trim_start_matches(['+', '-']);
    value.contains(|letter: char| letter.is_ascii_digit())
        && value.chars().all(is_part)
        && value.matches('.').count() < 2
}

/// Whether this is a value as TOML has it.
fn is_value(text: &str) -> bool {
    !text.is_empty() && toml::de::DeValue::parse(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_ends_with_its_line_or_its_place_in_a_list() {
        for (text, expected) in [
            ("name = my porch # the one", "my porch"),
            ("a = 1\nsize = |1280x720\nb = 2", "1280x720"),
            ("listen = 127.0|.0.1:8889", "127.0.0.1:8889"),
            ("hosts = [a, |b c, d]", "b c"),
            ("device = { format = |h264 }", "h264"),
            ("fps = 7|,5", "7,5"),
            ("x", "x"),
        ] {
            let offset = text.find('|').unwrap_or(text.len().min(7));
            assert_eq!(
                whole(&text.replace('|', ""), offset.min(text.len())),
                expected,
                "{text}"
            );
        }
    }
}
