//! One reading of a file, which finds all that is wrong with it.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    ConfigError, Mistake,
    source::{File, ROOT, Repairs, node_of},
    syntax::{self, slips},
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
    /// Where, and what. The place is not known of what the file does not say.
    found: Vec<(Option<usize>, String)>,
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
        Self {
            path: path.to_owned(),
            text: text.into(),
        }
    }

    /// Reads all of it, however much is wrong with it: that is told at the end ([`Reading::finish`]).
    pub fn read<T: DeserializeOwned>(&self) -> Reading<'_, T> {
        let (tree, errors) = DeTable::parse_recoverable(&self.text);
        let slips = slips(&self.text, &errors);
        let mut reading = Reading {
            value: None,
            source: self,
            tree: tree.into_inner(),
            repairs: Repairs::default(),
            found: Vec::new(),
        };
        reading.fill();
        // What is no TOML was guessed at. What is wrong with the guess is not what is wrong with the file.
        let is_guess = |offset: usize| {
            slips.iter().any(|slip| {
                let line = syntax::line(&self.text, slip.at.start);
                line.contains(&offset) || (!slip.is_local && offset >= line.start)
            })
        };
        reading.found.retain(|(offset, _)| !offset.is_some_and(is_guess));
        let slips = slips.into_iter();
        reading
            .found
            .extend(slips.map(|slip| (Some(slip.at.start), slip.words)));
        reading
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
                self.found.push((fault.offset, fault.words()));
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
            let offset = places.iter().find_map(|place| place.offset);
            self.found.push((offset, objection.words));
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
        let Source { path, text } = self.source;
        self.found.sort_by_key(|(offset, _)| offset.unwrap_or(usize::MAX));
        self.found.dedup();
        let more = self.found.len().saturating_sub(MOST_MISTAKES);
        let mistakes = self.found.into_iter().take(MOST_MISTAKES);
        let mut mistakes: Vec<_> = mistakes
            .map(|(offset, words)| Mistake {
                line: offset.map(|offset| line_of(text, offset)),
                words,
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
