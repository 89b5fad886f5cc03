//! One reading of a file, which finds all that is wrong with it.

use std::{
    ops::Range,
    path::{Path, PathBuf},
};

use serde::de::DeserializeOwned;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    ConfigError, Mistake,
    fault::What,
    source::{File, ROOT, Repairs, node_of},
    syntax::{self, Reach, Slip, slips},
};
use crate::file;

/// Who has more to mend than this begins with these.
const MOST_MISTAKES: usize = 100;
/// A configuration is some kilobytes long. What is longer than this is another file, or has no end.
const MOST_BYTES: u64 = 1 << 20;
/// So often a file is read: a mistake is left out after each time, and what follows from it.
const MOST_PASSES: usize = 3 * MOST_MISTAKES;

/// A file's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    path: PathBuf,
    text: String,
    /// The same without what the library stops at.
    readable: String,
    /// What that is.
    lost: Vec<toml::de::Error>,
}

/// A file as far as it can be read, and what is wrong with it.
///
/// A value that can't be used is left out, and the rest read without it, so that one mistake hides no other. Whoever knows more than a
/// value's own type adds its [`Objection`]s.
#[derive(Debug)]
pub struct Reading<'s, T> {
    /// What it says; what is wrong in it has its default. `None` where nothing can be made of it.
    pub value: Option<T>,
    source: &'s Source,
    tree: DeTable<'s>,
    repairs: Repairs,
    /// What in it is no TOML, and was guessed at.
    guesses: Vec<Guess>,
    found: Vec<Found>,
}

/// Something that is wrong.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    /// Where it stands. That is not known of what the file does not say.
    offset: Option<usize>,
    words: String,
    /// A key is missing, rather than wrong.
    is_missing: bool,
    /// It is one section of this name, and there have to be several.
    sections: Option<String>,
}

/// What was read in a way that nobody may have meant.
#[derive(Debug)]
struct Guess {
    /// This part: what is wrong there is not what is wrong with the file.
    wrong: Range<usize>,
    /// What lacks a key in this part may have been given it.
    lacking: Range<usize>,
    /// It goes on to the end, so the file may say more than was read.
    is_open: bool,
}

/// What is wrong with values that are right each for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Objection {
    /// The key that is to be changed, with those above it and, of a list or of several sections, the number: `camera.1.device`.
    pub at: String,
    /// Others that have to do with it. Where one of them could not be read there is no objection.
    pub with: Vec<String>,
    /// What is wrong, and what would be right.
    pub words: String,
}

impl Objection {
    /// About this key alone.
    pub fn new(at: impl Into<String>, words: impl Into<String>) -> Self {
        Self {
            at: at.into(),
            with: Vec::new(),
            words: words.into(),
        }
    }

    /// It has to do with this key as well.
    #[must_use]
    pub fn with(mut self, other: impl Into<String>) -> Self {
        self.with.push(other.into());
        self
    }
}

impl Source {
    /// Reads a file.
    ///
    /// # Errors
    /// It can't be read, is no file or too long for a configuration, or is no text.
    pub fn of_file(path: &Path) -> Result<Self, ConfigError> {
        let bytes = file::read(path, MOST_BYTES).map_err(|cause| ConfigError::Unreadable {
            path: path.to_owned(),
            cause,
        })?;
        String::from_utf8(bytes)
            .map(|text| Self::new(text, path))
            .map_err(|error| {
                let valid = error.utf8_error().valid_up_to();
                let readable = String::from_utf8_lossy(error.as_bytes());
                let mistake = Mistake {
                    line: Some(line_of(&readable, valid)),
                    words: "here is a letter that is not in UTF-8; save the file in that encoding".to_owned(),
                };
                ConfigError::Invalid {
                    path: path.to_owned(),
                    mistakes: vec![mistake],
                }
            })
    }

    /// A text as if it were that file's.
    pub fn new(text: impl Into<String>, path: &Path) -> Self {
        let text = text.into();
        let (_, errors) = DeTable::parse_recoverable(&text);
        let mut readable = text.clone();
        let mut lost = Vec::new();
        for error in syntax::lost(&text, &errors) {
            let line = syntax::line(&text, error.span().map_or(0, |span| span.start));
            // As long as before: everything else stays where it is.
            readable.replace_range(line.clone(), &" ".repeat(line.len()));
            if lost.len() <= MOST_MISTAKES {
                lost.push(error.clone());
            }
        }
        Self {
            path: path.to_owned(),
            text,
            readable,
            lost,
        }
    }

    /// Reads all of it, however much is wrong with it: that is told at the end ([`Reading::finish`]).
    pub fn read<T: DeserializeOwned>(&self) -> Reading<'_, T> {
        let (tree, mut errors) = DeTable::parse_recoverable(&self.readable);
        errors.extend(self.lost.iter().cloned());
        let slips = slips(&self.text, &errors);
        let guesses = slips.iter().map(|slip| self.guess(slip)).collect();
        let mut reading = Reading {
            value: None,
            source: self,
            tree: tree.into_inner(),
            repairs: Repairs::default(),
            guesses,
            found: Vec::new(),
        };
        reading.fill();
        // Of a name that is a section here, and several there, the first fault is the only one: with it the other is none.
        let follows = |slip: &Slip| {
            let is_within = |name: &str, of: &str| {
                name.strip_prefix(of)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            };
            let mut listed = reading.found.iter().filter_map(|found| found.sections.as_deref());
            let name = slip.repeated_in.as_deref();
            name.is_some_and(|name| listed.any(|of| is_within(name, of)))
        };
        let (following, slips): (Vec<_>, Vec<_>) = slips.into_iter().partition(follows);
        let untold: Vec<_> = following.iter().map(|slip| slip.at.start).collect();
        reading
            .guesses
            .retain(|guess| !untold.iter().any(|offset| guess.wrong.contains(offset)));
        let guesses = &reading.guesses;
        reading.found.retain(|found| {
            !guesses
                .iter()
                .any(|guess| guess.spoils(found.offset, found.is_missing))
        });
        reading.found.extend(slips.into_iter().map(|slip| Found {
            offset: Some(slip.at.start),
            words: slip.words,
            is_missing: false,
            sections: None,
        }));
        reading
    }

    fn guess(&self, slip: &Slip) -> Guess {
        let line = syntax::line(&self.text, slip.at.start);
        let section = syntax::section(&self.text, line.start);
        let whole = section.start..usize::MAX;
        let (wrong, lacking) = match slip.reach {
            Reach::Line => (line.start..line.end + 1, line),
            Reach::Key => (line.start..line.end + 1, section),
            Reach::Rest => (line.start..usize::MAX, whole),
        };
        Guess {
            wrong,
            lacking,
            is_open: slip.reach == Reach::Rest,
        }
    }
}

impl Guess {
    /// Whether what was found there is only about what was guessed.
    fn spoils(&self, offset: Option<usize>, is_missing: bool) -> bool {
        let part = if is_missing { &self.lacking } else { &self.wrong };
        offset.map_or(self.is_open, |offset| part.contains(&offset))
    }
}

impl<T: DeserializeOwned> Reading<'_, T> {
    /// Reads the tree, and again without what was wrong, until nothing is.
    fn fill(&mut self) {
        for _ in 0..MOST_PASSES {
            let file = File {
                table: &self.tree,
                repairs: &self.repairs,
            };
            let fault = match T::deserialize(file) {
                Ok(value) => {
                    self.value = Some(value);
                    return;
                }
                Err(fault) => fault,
            };
            let mended = self.repairs.mend(&fault);
            if mended != Some(false) {
                self.found.push(Found {
                    offset: fault.offset,
                    words: fault.words(),
                    is_missing: matches!(fault.what, What::Missing(_) | What::MadeUp(..)),
                    sections: fault.wants_sections(),
                });
            }
            if mended.is_none() || self.found.len() > MOST_MISTAKES {
                return;
            }
        }
    }
}

impl<T> Reading<'_, T> {
    /// Adds what is wrong although each value is right for itself.
    pub fn object(&mut self, objections: impl IntoIterator<Item = Objection>) {
        for objection in objections {
            let places: Vec<_> = std::iter::once(&objection.at)
                .chain(&objection.with)
                .map(|key| self.place(key))
                .collect();
            if places.iter().any(|place| place.is_touched) {
                continue;
            }
            let is_guess = |place: &Place| self.guesses.iter().any(|guess| guess.spoils(place.offset, false));
            if places.iter().any(is_guess) {
                continue;
            }
            self.found.push(Found {
                offset: places.iter().find_map(|place| place.offset),
                words: objection.words,
                is_missing: false,
                sections: None,
            });
        }
    }

    /// What the file says.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn finish(mut self) -> Result<T, ConfigError> {
        if let (Some(value), true) = (self.value, self.found.is_empty()) {
            return Ok(value);
        }
        let Source { path, text, .. } = self.source;
        self.found.sort_by_key(|found| found.offset.unwrap_or(usize::MAX));
        self.found.dedup();
        let more = self.found.len().saturating_sub(MOST_MISTAKES);
        let mistakes = self.found.into_iter().take(MOST_MISTAKES);
        let mut mistakes: Vec<_> = mistakes
            .map(|found| Mistake {
                line: found.offset.map(|offset| line_of(text, offset)),
                words: found.words,
            })
            .collect();
        if more > 0 {
            mistakes.push(Mistake {
                line: None,
                words: "there are more mistakes than these".to_owned(),
            });
        }
        if mistakes.is_empty() {
            mistakes.push(Mistake {
                line: None,
                words: "nothing can be made of this file".to_owned(),
            });
        }
        Err(ConfigError::Invalid {
            path: path.clone(),
            mistakes,
        })
    }

    /// Where a key of ours stands, or, if it does not, the last of those above it that does.
    fn place(&self, key: &str) -> Place {
        let mut place = Place {
            offset: None,
            is_touched: false,
        };
        let mut steps = key.split('.');
        let (mut table, mut node) = (&self.tree, ROOT);
        while let Some(step) = steps.next() {
            let Some((found, mut value)) = table.get_key_value(step) else {
                place.is_touched |= self.repairs.lacks(node, step);
                return place;
            };
            place.offset = Some(found.span().start);
            if self.is_left(value, &mut place) {
                return place;
            }
            if let DeValue::Array(list) = value.get_ref() {
                let Some(number) = steps.next() else { break };
                let read = list
                    .iter()
                    .filter(|element| !self.repairs.leaves(node_of(element)));
                let number = number.parse().unwrap_or(usize::MAX);
                let Some(element) = read.into_iter().nth(number) else {
                    return place;
                };
                place.offset = Some(element.span().start);
                value = element;
            }
            node = node_of(value);
            let DeValue::Table(inner) = value.get_ref() else {
                break;
            };
            table = inner;
        }
        place.is_touched |= node != ROOT && self.repairs.touch(node);
        place
    }

    fn is_left(&self, value: &Spanned<DeValue<'_>>, place: &mut Place) -> bool {
        place.is_touched |= self.repairs.leaves(node_of(value));
        place.is_touched
    }
}

struct Place {
    offset: Option<usize>,
    /// It was not read as it stands there.
    is_touched: bool,
}

fn line_of(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    1 + before.iter().filter(|byte| **byte == b'\n').count()
}
