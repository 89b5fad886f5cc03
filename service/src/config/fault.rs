//! What is wrong with one value, in a person's words.

use std::fmt;

use serde::de::{self, Expected, Unexpected};
use toml::de::DeValue;

/// The most characters of what somebody wrote that are repeated.
const MOST: usize = 60;

/// A value of the file, by its place in memory: for as long as the file's tree stands.
pub(super) type Node = usize;

/// Why a value can't be used. Tables and lists add what they know of it while it comes up through them.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) what: What,
    /// The keys above it, the innermost first. What stands in a list has none of its own.
    keys: Vec<String>,
    /// The innermost key is that of the list which it stands in.
    is_in_list: bool,
    /// What has to be left out so that the rest can be read.
    pub(super) leave: Option<Node>,
    /// The table and the key of that, where it is a key's value.
    pub(super) of_table: Option<(Node, String)>,
    /// It and the values around it.
    pub(super) around: Vec<Node>,
    /// Where it stands in the text.
    pub(super) offset: Option<usize>,
}

/// Kinds of faults.
#[derive(Debug)]
pub(super) enum What {
    /// In the words of the type that was to be read.
    Words(String),
    /// It is something else than it has to be.
    Other { found: String, wanted: Wanted },
    /// There is no such key.
    Unknown {
        key: String,
        known: &'static [&'static str],
    },
    /// There is no such choice.
    Choice { found: String, wanted: String },
    /// The table lacks a key that it needs.
    Missing(&'static str),
    /// What was made up in place of a key that is missing does not do.
    MadeUp(Node, &'static str),
}

/// What a value has to be.
#[derive(Debug)]
pub(super) enum Wanted {
    /// As these words say.
    Words(String),
    /// A list; this one, if it is a text that could be one.
    List(Option<String>),
    /// Several sections of a name, where there is one; where there is none, but a section within one, that is named.
    Sections { within: Option<String> },
    /// One section, where there is something else.
    Section,
    /// One section, where there are several.
    OneSection,
}

impl Fault {
    pub(super) fn new(what: What) -> Self {
        Self {
            what,
            keys: Vec::new(),
            is_in_list: false,
            leave: None,
            of_table: None,
            around: Vec::new(),
            offset: None,
        }
    }

    /// Of a value that has to be something else.
    pub(super) fn other(found: &DeValue<'_>, wanted: Wanted) -> Self {
        let found = describe(found);
        Self::new(What::Other { found, wanted })
    }

    /// It came out of this value, which stands here.
    pub(super) fn within(mut self, node: Node, offset: usize) -> Self {
        self.leave.get_or_insert(node);
        self.offset.get_or_insert(offset);
        self.around.push(node);
        self
    }

    /// That value stands in a list.
    pub(super) fn in_list(mut self) -> Self {
        self.is_in_list |= self.keys.is_empty();
        self
    }

    /// That value is what this key of a table has.
    pub(super) fn under(mut self, table: Node, key: &str) -> Self {
        if self.keys.is_empty() && !self.is_in_list {
            self.of_table.get_or_insert((table, key.to_owned()));
        }
        self.keys.push(key.to_owned());
        self
    }

    /// The sentence for the person.
    pub(super) fn words(&self) -> String {
        match &self.what {
            What::Words(words) => harmless(&words.trim().replace('\n', ", ")),
            What::Other {
                wanted: Wanted::Sections { within: Some(inner) },
                ..
            } => {
                let path = self.path();
                format!(
                    "[{path}.{inner}] belongs to the [[{path}]] above it, and there is none; write [[{path}]] in front of it, and its keys \
                     between them"
                )
            }
            What::Other { found, wanted } => self.it_is(found, &self.wanted(wanted)),
            What::Choice { found, wanted } => self.it_is(found, wanted),
            What::Unknown { key, known } => unknown(key, known),
            What::Missing(key) => match self.keys.first() {
                Some(_) if self.is_in_list => {
                    format!("this [[{}]] has no `{key}`, and needs one", self.path())
                }
                Some(section) => format!("`{section}` has no `{key}`, and needs one"),
                None => format!("there is no `{key}`, and it is needed"),
            },
            What::MadeUp(_, key) => format!("there is no `{key}`, and it is needed"),
        }
    }

    /// The name of the list of sections that it has to be, and is not.
    pub(super) fn wants_sections(&self) -> Option<String> {
        match &self.what {
            What::Other {
                wanted: Wanted::Sections { .. },
                ..
            } => Some(self.path()),
            _ => None,
        }
    }

    fn it_is(&self, found: &str, wanted: &str) -> String {
        match self.keys.first() {
            Some(list) if self.is_in_list => {
                format!("{found} stands in the list `{list}`; each there has to be {wanted}")
            }
            Some(key) => format!("`{key}` is {found}; it has to be {wanted}"),
            None => format!("here is {found}; it has to be {wanted}"),
        }
    }

    fn wanted(&self, wanted: &Wanted) -> String {
        match wanted {
            Wanted::Words(words) => words.clone(),
            Wanted::List(None) => "a list in square brackets".to_owned(),
            Wanted::List(Some(list)) => format!("a list: write {list}"),
            Wanted::Sections { .. } => format!("written as [[{}]], with two brackets", self.path()),
            Wanted::Section if self.is_in_list => format!("a section, [[{}]]", self.path()),
            Wanted::Section => format!("a section, [{}]", self.path()),
            Wanted::OneSection => format!("one section: write [{}], with single brackets", self.path()),
        }
    }

    /// The keys down to it.
    fn path(&self) -> String {
        let keys: Vec<_> = self.keys.iter().rev().map(String::as_str).collect();
        keys.join(".")
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words())
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(words: T) -> Self {
        Self::new(What::Words(words.to_string()))
    }

    fn invalid_type(found: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        Self::new(What::Other {
            found: unexpected(found),
            wanted: Wanted::Words(wanted.to_string()),
        })
    }

    fn invalid_value(found: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        Self::invalid_type(found, wanted)
    }

    fn unknown_variant(found: &str, known: &'static [&'static str]) -> Self {
        Self::new(What::Choice {
            found: text(found),
            wanted: choice(known),
        })
    }

    fn unknown_field(key: &str, known: &'static [&'static str]) -> Self {
        Self::new(What::Unknown {
            key: key.to_owned(),
            known,
        })
    }

    fn missing_field(key: &'static str) -> Self {
        Self::new(What::Missing(key))
    }
}

/// `"nobody", "page" or "all"`
pub(super) fn choice(known: &[&str]) -> String {
    let quoted: Vec<_> = known.iter().map(|word| format!("\"{word}\"")).collect();
    match quoted.as_slice() {
        [] => "nothing".to_owned(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

fn unknown(key: &str, known: &[&str]) -> String {
    let key = clipped(key);
    let distance = |name: &&str| strsim::damerau_levenshtein(&key, name);
    let nearest = known.iter().copied().min_by_key(distance);
    match nearest {
        // Half of it right is a slip of the finger; less is another word.
        Some(nearest) if distance(&nearest) * 2 <= key.chars().count().max(2) => {
            format!("there is no key `{key}` here; did you mean `{nearest}`?")
        }
        Some(_) => format!("there is no key `{key}` here; there are `{}`", known.join("`, `")),
        None => format!("there is no key `{key}` here"),
    }
}

fn describe(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(written) => text(written),
        DeValue::Integer(number) => format!("the number {}", clipped(&number.to_string())),
        DeValue::Float(number) => format!("the number {}", clipped(number.as_str())),
        DeValue::Boolean(is) => is.to_string(),
        DeValue::Datetime(_) => "a date or time without quotes".to_owned(),
        DeValue::Array(list) if list.iter().any(|one| one.get_ref().is_table()) => {
            "a list of sections".to_owned()
        }
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a section".to_owned(),
    }
}

fn unexpected(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(is) => is.to_string(),
        Unexpected::Unsigned(number) => format!("the number {number}"),
        Unexpected::Signed(number) => format!("the number {number}"),
        Unexpected::Float(number) => format!("the number {number}"),
        Unexpected::Char(letter) => text(letter.encode_utf8(&mut [0; 4])),
        Unexpected::Str(written) => text(written),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "a section".to_owned(),
        Unexpected::Other(what) => what.to_owned(),
        _ => "something else".to_owned(),
    }
}

fn text(written: &str) -> String {
    format!("the text \"{}\"", clipped(written))
}

/// What somebody wrote, in one line, not too long, and without the password of an address.
pub(super) fn clipped(written: &str) -> String {
    let written = without_password(written);
    let mut start: String = written.chars().take(MOST).collect();
    if start.len() < written.len() {
        start.push('…');
    }
    harmless(&start)
}

/// Addresses without who one is there: messages go to logs, which others read.
fn without_password(written: &str) -> String {
    let mut shown = String::new();
    let mut rest = written;
    while let Some((before, address)) = rest.split_once("://") {
        let end = address.find(|letter: char| letter.is_whitespace() || "/\"'".contains(letter));
        let (place, behind) = address.split_at(end.unwrap_or(address.len()));
        let place = match place.rsplit_once('@') {
            Some((_, host)) => format!("...@{host}"),
            None => place.to_owned(),
        };
        shown.push_str(before);
        shown.push_str("://");
        shown.push_str(&place);
        rest = behind;
    }
    shown.push_str(rest);
    shown
}

/// A text as the list that it may have been meant as: of its words, as a command has them, or of what stands between commas. `None`
/// where that would have to be guessed, as with quotes of a shell.
pub(super) fn as_list(written: &str) -> Option<String> {
    const MOST_WORDS: usize = 8;
    let is_of_a_shell = |letter: char| "'\"\\|&;<>$`*".contains(letter);
    let mut words: Vec<_> = written.split_whitespace().collect();
    if words.is_empty() || written.contains(is_of_a_shell) {
        return None;
    }
    let (_, front) = words.split_last()?;
    if front.iter().all(|word| word.ends_with(',')) {
        words = words.iter().map(|word| word.trim_end_matches(',')).collect();
    }
    let more = if words.len() > MOST_WORDS { ", ..." } else { "" };
    let quoted = words.iter().take(MOST_WORDS);
    let quoted: Vec<_> = quoted.map(|word| format!("\"{}\"", clipped(word))).collect();
    Some(format!("[{}{more}]", quoted.join(", ")))
}

/// Other letters than English ones stay; what breaks a line or a terminal does not.
fn harmless(words: &str) -> String {
    let escaped = |letter: char| {
        if letter.is_control() {
            letter.escape_default().to_string()
        } else {
            letter.to_string()
        }
    };
    words.chars().map(escaped).collect()
}
