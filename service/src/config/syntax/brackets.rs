//! Brackets that are missing.

use std::ops::Range;

use super::{Reach, Slip, header_name, line};
use crate::config::fault::clipped;

/// What is wrong with brackets, if it is that. What the library meets is where a list goes wrong; what a person has to mend is where it
/// begins.
pub(super) fn slip(text: &str, at: &Range<usize>, met: &str) -> Option<Slip> {
    let this = text.get(line(text, at.start)).unwrap_or_default().trim();
    let name = clipped(header_name(this));
    let (reach, words) = match met {
        "unclosed table" => (Reach::Rest, format!("a bracket is missing: write [{name}]")),
        "unclosed array table" => {
            let words = format!("a bracket is missing: there have to be two on each side, [[{name}]]");
            (Reach::Rest, words)
        }
        // Its keys were taken for those of the section before.
        "key with no value" if this.ends_with("]]") && !this.contains(['[', '=']) => {
            (Reach::Rest, format!("brackets are missing: write [[{name}]]"))
        }
        "key with no value" if this.ends_with(']') && !this.contains(['[', '=']) => {
            (Reach::Rest, format!("a bracket is missing: write [{name}]"))
        }
        "unexpected key or value" if this.starts_with('[') => {
            let words =
                "a section stands alone in its line, with as many brackets in front of its name as behind it";
            (Reach::Key, words.to_owned())
        }
        "extra comma in array" | "extra comma in inline table" => {
            let words = "here are two commas, or one with nothing in front of it; remove it";
            (Reach::Line, words.to_owned())
        }
        met if is_within_brackets(met) => return Some(within(text, at, met)),
        _ => return None,
    };
    Some(Slip::new(at.clone(), reach, words))
}

fn is_within_brackets(met: &str) -> bool {
    let of_list = [
        "unclosed array",
        "unclosed inline table",
        "unexpected `=` in array",
    ];
    of_list.contains(&met)
        || met.starts_with("missing comma between")
        || met.ends_with("inline table element")
        || met.ends_with("between key-value pairs")
        || ["missing array opening", "missing inline table opening"].contains(&met)
}

fn within(text: &str, at: &Range<usize>, met: &str) -> Slip {
    match innermost(text, at.start) {
        Some(Bracket {
            at: open,
            kind,
            is_closed: false,
        }) => {
            let before = text[line(text, open).start..open].trim_end();
            let before = before.strip_suffix('=').unwrap_or_default();
            let key = before
                .rsplit(['{', '[', ',', '='])
                .next()
                .unwrap_or_default()
                .trim();
            let of = match key {
                "" => String::new(),
                key => format!(" of `{}`", clipped(key)),
            };
            let words = match kind {
                '[' => format!("the list{of} that begins here has no `]` at its end"),
                _ => format!("what stands in braces{of} begins here, and has no `}}` at its end"),
            };
            Slip::new(open..open, Reach::Rest, words)
        }
        Some(_) if met.starts_with("missing comma") => {
            let words = "a comma is missing here, in front of what comes next in the list or the braces";
            Slip::new(at.clone(), Reach::Line, words)
        }
        Some(Bracket { kind: '{', .. }) => {
            let words = "in braces stand keys with their values, and commas between them, as { command = [\"PROGRAM\"], format = \"h264\" }";
            Slip::new(at.clone(), Reach::Line, words)
        }
        Some(_) => Slip::new(at.clone(), Reach::Line, "a list has values and commas only"),
        None => {
            let words = "a bracket is closed here that was not opened";
            Slip::new(at.clone(), Reach::Rest, words)
        }
    }
}

#[derive(Clone, Copy)]
struct Bracket {
    at: usize,
    kind: char,
    is_closed: bool,
}

/// The innermost bracket that is open at this place.
fn innermost(text: &str, offset: usize) -> Option<Bracket> {
    let mut open: Vec<Bracket> = Vec::new();
    // That which was open last at the place, and how many were: where there are fewer, it has been closed.
    let (mut found, mut depth, mut is_past) = (None, 0, false);
    let mut letters = text.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        if at >= offset && !is_past {
            is_past = true;
            depth = open.len();
            found = open.last().copied();
        }
        match letter {
            '#' => while letters.next_if(|(_, letter)| *letter != '\n').is_some() {},
            '"' | '\'' => skip_text(text, at, letter, &mut letters),
            '[' | '{' => open.push(Bracket {
                at,
                kind: letter,
                is_closed: false,
            }),
            ']' | '}' => {
                let is_match = |bracket: &Bracket| (bracket.kind == '[') == (letter == ']');
                if open.last().is_some_and(is_match) {
                    open.pop();
                    if is_past && open.len() < depth {
                        return found.map(|bracket| Bracket {
                            is_closed: true,
                            ..bracket
                        });
                    }
                }
            }
            _ => {}
        }
    }
    if is_past { found } else { open.pop() }
}

type Letters<'t> = std::iter::Peekable<std::str::CharIndices<'t>>;

/// Goes behind a text that begins with this quote. One in a single line ends with the line, if nowhere else.
fn skip_text(text: &str, at: usize, quote: char, letters: &mut Letters<'_>) {
    let three = [quote; 3].iter().collect::<String>();
    let is_long = text[at..].starts_with(&three);
    if is_long {
        letters.next();
        letters.next();
    }
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' if quote == '"' => {
                letters.next();
            }
            '\n' if !is_long => return,
            letter if letter == quote && !is_long => return,
            letter if letter == quote && text[at..].starts_with(&three) => {
                letters.next();
                letters.next();
                return;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bracket_around_a_place_is_found() {
        for (text, expected) in [
            ("a = [1, 2 |", Some((4, '[', false))),
            ("a = [1 | 2]", Some((4, '[', true))),
            ("a = [[1], | 2]", Some((4, '[', true))),
            ("a = [ '[', | ]", Some((4, '[', true))),
            ("a = \"]\" # [\n| b", None),
            ("a = { b = [1, | 2 }", Some((10, '[', false))),
            ("a = \"\"\"\n[ \" \"\"\" |", None),
            ("a = ['x\nb = 1 |", Some((4, '[', false))),
            ("[a]\nb = ['\\', |]", Some((8, '[', true))),
            ("a = [\"\\\"]\", |]", Some((4, '[', true))),
            ("|", None),
        ] {
            let offset = text.find('|').expect(text);
            let text = text.replace('|', "");
            let found = innermost(&text, offset).map(|bracket| (bracket.at, bracket.kind, bracket.is_closed));
            assert_eq!(found, expected, "{text:?}");
        }
    }
}
