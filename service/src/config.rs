//! Configuration files: TOML, strict, with errors that name the file, the line and what to write instead.

mod fault;
mod reading;
mod source;
mod syntax;

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error as _},
};

pub use reading::{Objection, Reading, Source};

/// The status that a program exits with where its configuration can't be used (`EX_CONFIG`, sysexits.h).
pub const EXIT_STATUS: u8 = 78;

/// Why a configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("the configuration {} can't be read: {cause}", path.display())]
    Unreadable {
        /// Its path.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// The file says something that it can't.
    #[error("{}", in_one_line(path, mistakes))]
    Invalid {
        /// Its path.
        path: PathBuf,
        /// All that is wrong with it, in its order. At least one.
        mistakes: Vec<Mistake>,
    },
}

/// One thing that is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Where it stands, counted from 1, where that is known.
    pub line: Option<usize>,
    /// What is wrong, and what would be right.
    pub words: String,
}

impl ConfigError {
    /// What is wrong, a line for each mistake: `node.toml, line 3: there is no key ...`
    pub fn lines(&self) -> Vec<String> {
        match self {
            ConfigError::Unreadable { .. } => vec![self.to_string()],
            ConfigError::Invalid { path, mistakes } => {
                let path = path.display();
                let told = mistakes.iter().map(|mistake| match mistake.line {
                    Some(_) => format!("{path}, {mistake}"),
                    None => format!("{path}: {mistake}"),
                });
                told.collect()
            }
        }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        f.write_str(&self.words)
    }
}

/// A line of the log has room for the first few.
fn in_one_line(path: &Path, mistakes: &[Mistake]) -> String {
    const MOST: usize = 5;
    let path = path.display();
    let told: Vec<_> = mistakes.iter().take(MOST).map(Mistake::to_string).collect();
    let told = told.join("; ");
    let more = match mistakes.len().saturating_sub(MOST) {
        0 => String::new(),
        more => format!("; and {more} more (`check` tells all)"),
    };
    match mistakes.first() {
        Some(Mistake { line: None, .. }) => format!("{path}: {told}{more}"),
        _ => format!("{path}, {told}{more}"),
    }
}

/// Reads a file into a `T`, each of whose keys is right or wrong for itself.
///
/// # Errors
/// It can't be read, is no TOML, has a key that `T` does not know (`T` has to deny those) or a value that it refuses.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<T, ConfigError> {
    Source::of_file(path)?.read().finish()
}

/// What reading came to, where there may be no file: then all keys have their defaults.
///
/// # Errors
/// The file is there, and can't be read or is not valid.
pub fn or_default<T: Default>(outcome: Result<T, ConfigError>) -> Result<T, ConfigError> {
    match outcome {
        Err(ConfigError::Unreadable { cause, .. }) if cause.kind() == io::ErrorKind::NotFound => {
            Ok(T::default())
        }
        outcome => outcome,
    }
}

/// A path from the root, for `deserialize_with`: a service has no directory of its own that a person would know.
///
/// # Errors
/// It is no text, or a path from somewhere else.
pub fn absolute<'de, D: Deserializer<'de>>(from: D) -> Result<Option<PathBuf>, D::Error> {
    let path = PathBuf::deserialize(from)?;
    if path.is_absolute() {
        return Ok(Some(path));
    }
    let shown = path.display();
    Err(D::Error::custom(format!(
        "`{shown}` is not an absolute path; begin it with a slash"
    )))
}

/// [`read`], of a text that was read from `path` before.
///
/// # Errors
/// As those of [`read`].
pub fn parse<T: DeserializeOwned>(text: &str, path: &Path) -> Result<T, ConfigError> {
    Source::new(text, path).read().finish()
}

#[cfg(test)]
mod tests {
    #![allow(dead_code, reason = "whether keys can be read is what counts")]

    use std::fs;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Config {
        name: Option<String>,
        video: Video,
        #[serde(rename = "light")]
        lights: Vec<Light>,
        hosts: Vec<String>,
        #[serde(deserialize_with = "absolute")]
        file: Option<PathBuf>,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Video {
        bitrate: u32,
        codec: String,
        gain: f32,
        is_loud: bool,
        kind: Kind,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Kind {
        #[default]
        Raw,
        Coded,
        Mixed,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Light {
        name: String,
        pin: Pin,
        #[serde(default)]
        level: u8,
    }

    #[derive(Debug, Deserialize)]
    #[serde(untagged, expecting = "a pin is a number or a name")]
    enum Pin {
        Number(u32),
        Text(String),
    }

    /// What is wrong with a file, by line.
    fn mistakes(text: &str) -> Vec<(Option<usize>, String)> {
        mistakes_of(Source::new(text, "node.toml".as_ref()).read::<Config>())
    }

    fn mistakes_of(reading: Reading<'_, Config>) -> Vec<(Option<usize>, String)> {
        match reading.finish() {
            Ok(_) => Vec::new(),
            Err(ConfigError::Invalid { mistakes, .. }) => {
                let mistakes = mistakes.into_iter();
                mistakes.map(|mistake| (mistake.line, mistake.words)).collect()
            }
            Err(other) => panic!("{other}"),
        }
    }

    fn at(expected: &[(usize, &str)]) -> Vec<(Option<usize>, String)> {
        let expected = expected.iter();
        expected
            .map(|(line, words)| (Some(*line), (*words).to_owned()))
            .collect()
    }

    #[test]
    fn what_has_another_type_is_told_in_plain_words() {
        for (text, expected) in [
            (
                "[video]\nbitrate = \"many\"",
                "`bitrate` is the text \"many\"; it has to be a whole number from 0 to 4294967295",
            ),
            (
                "[video]\nbitrate = \"7\"",
                "`bitrate` is the text \"7\"; it has to be a whole number from 0 to 4294967295, without quotes",
            ),
            (
                "[video]\nbitrate = -1",
                "`bitrate` is the number -1; it has to be a whole number from 0 to 4294967295",
            ),
            (
                "[video]\nbitrate = 1.5",
                "`bitrate` is the number 1.5; it has to be a whole number from 0 to 4294967295",
            ),
            (
                "[video]\nbitrate = 99999999999999999999",
                "`bitrate` is the number 99999999999999999999; it has to be a whole number from 0 to 4294967295",
            ),
            (
                "[video]\ncodec = 5",
                "`codec` is the number 5; it has to be text in quotes, \"5\"",
            ),
            (
                "[video]\ncodec = true",
                "`codec` is true; it has to be text in quotes, \"true\"",
            ),
            (
                "[video]\ncodec = 2026-11-30",
                "`codec` is a date or time without quotes; it has to be text in quotes",
            ),
            (
                "[video]\ngain = \"1\"",
                "`gain` is the text \"1\"; it has to be a number, without quotes",
            ),
            (
                "[video]\nis_loud = \"yes\"",
                "`is_loud` is the text \"yes\"; it has to be true or false, without quotes",
            ),
            (
                "[video]\nkind = \"bad\"",
                "`kind` is the text \"bad\"; it has to be \"raw\", \"coded\" or \"mixed\"",
            ),
            (
                "[video]\nkind = 1",
                "`kind` is the number 1; it has to be \"raw\", \"coded\" or \"mixed\"",
            ),
            (
                "\nhosts = \"a\"",
                "`hosts` is the text \"a\"; it has to be a list: write [\"a\"]",
            ),
            (
                "\nhosts = 5",
                "`hosts` is the number 5; it has to be a list in square brackets",
            ),
            (
                "\nhosts = [\"a\", 5]",
                "the number 5 stands in the list `hosts`; each there has to be text in quotes, \"5\"",
            ),
            (
                "\nvideo = 5",
                "`video` is the number 5; it has to be a section, [video]",
            ),
            (
                "\n[[video]]",
                "`video` is a list of sections; it has to be one section: write [video], with single brackets",
            ),
            (
                "\n[light]\nname = \"a\"",
                "`light` is a section; it has to be written as [[light]], with two brackets",
            ),
            (
                "\n[[light]]\nname = \"a\"",
                "this [[light]] has no `pin`, and needs one",
            ),
            (
                "\nlight = [{ name = \"a\", pin = true }]",
                "a pin is a number or a name",
            ),
            (
                "\nfile = \"a\"",
                "`a` is not an absolute path; begin it with a slash",
            ),
        ] {
            assert_eq!(mistakes(text), at(&[(2, expected)]), "{text}");
        }
    }

    #[test]
    fn what_is_no_toml_is_told_in_plain_words() {
        for (text, expected) in [
            (
                "[video]\nbitrate = 1\nbitrate = 2",
                &[(
                    3,
                    "`bitrate` stands here for a second time; remove one of the two",
                )][..],
            ),
            (
                "[video]\n[video]\nbitrat = 1",
                &[
                    (
                        2,
                        "[video] stands here for a second time; write all its keys into one section",
                    ),
                    (3, "there is no key `bitrat` here; did you mean `bitrate`?"),
                ],
            ),
            (
                "[video]\ncodec = vp8\nbitrat = 1",
                &[
                    (2, "`vp8` is text, and text has to be in quotes: \"vp8\""),
                    (3, "there is no key `bitrat` here; did you mean `bitrate`?"),
                ],
            ),
        ] {
            assert_eq!(mistakes(text), at(expected), "{text}");
        }
        for text in [
            "[video",
            "[[light]",
            "hosts = [\"a\"\n",
            "name = \"a\n",
            "name",
            "name =",
        ] {
            let told = mistakes(&format!("hsts = 1\n{text}\nnme = 1"));
            assert_eq!(told[0].0, Some(1), "{text:?}: {told:?}");
            assert!(told[1].0 >= Some(2), "{text:?}: {told:?}");
            assert!(!told[1].1.contains(", expected"), "{told:?}");
        }
    }

    #[test]
    fn no_mistake_hides_another_and_none_is_told_that_only_follows() {
        let text = "nme = \"a\"\n[video]\nbitrate = \"many\"\ncodc = 1\nkind = \"bad\"\n[[light]]\nname = 5\nlevel = 300\n\
                    [[light]]\n[[light]]\npin = 7\nlevl = 3\n[vido]\n";
        let lines: Vec<_> = mistakes(text)
            .into_iter()
            .map(|(line, words)| (line.unwrap_or_default(), words))
            .collect();
        let starts: Vec<_> = lines
            .iter()
            .map(|(line, words)| (*line, words.split([';', ',']).next().unwrap_or_default()))
            .collect();
        assert_eq!(
            starts,
            [
                (1, "there is no key `nme` here"),
                (3, "`bitrate` is the text \"many\""),
                (4, "there is no key `codc` here"),
                (5, "`kind` is the text \"bad\""),
                // Its name is wrong, not missing.
                (6, "this [[light]] has no `pin`"),
                (7, "`name` is the number 5"),
                (8, "`level` is the number 300"),
                (9, "this [[light]] has no `name`"),
                (9, "this [[light]] has no `pin`"),
                (10, "this [[light]] has no `name`"),
                (12, "there is no key `levl` here"),
                (13, "there is no key `vido` here"),
            ],
            "{lines:#?}"
        );
    }

    #[test]
    fn an_objection_has_its_line_unless_what_it_is_about_could_not_be_read() {
        let source = |text: &str| Source::new(text, "node.toml".as_ref());
        let two = "[[light]]\nname = \"a\"\npin = 1\n[[light]]\nname = \"a\"\npin = 1\n";
        let objections = || {
            [
                Objection::new("light.1.name", "the same name").with("light.0.name"),
                Objection::new("light.1.level", "the section"),
                Objection::new("video.bitrate", "nowhere"),
            ]
        };
        let told = |text: &str| {
            let source = source(text);
            let mut reading = source.read::<Config>();
            reading.object(objections());
            mistakes_of(reading)
        };
        let everything = [
            (Some(4), "the section".to_owned()),
            (Some(5), "the same name".to_owned()),
            (None, "nowhere".to_owned()),
        ];
        assert_eq!(told(two), everything);
        // Another key of the section has nothing to do with it.
        let other = told(&two.replace("pin = 1", "pin = true"));
        assert_eq!(other.len(), 5, "{other:?}");
        let unread = told(&two.replacen("\"a\"", "5", 1));
        assert!(
            unread.iter().all(|(_, words)| words != "the same name"),
            "{unread:?}"
        );
        let missing = told(&two.replacen("name = \"a\"\n", "", 1));
        assert!(
            missing.iter().all(|(_, words)| words != "the same name"),
            "{missing:?}"
        );
        // What is left out of a list is not counted.
        let source = source("light = [5, { name = \"a\", pin = 1 },\n { name = \"a\", pin = 1 }]\n");
        let mut reading = source.read::<Config>();
        assert_eq!(reading.value.as_ref().map(|config| config.lights.len()), Some(2));
        reading.object([Objection::new("light.1.name", "the same name")]);
        assert_eq!(mistakes_of(reading)[1], (Some(2), "the same name".to_owned()));
    }

    #[test]
    fn a_flood_of_mistakes_is_bounded() {
        let text: String = (0..5000).map(|number| format!("key_{number} = 1\n")).collect();
        let told = mistakes(&text);
        assert_eq!(told.len(), 101);
        assert_eq!(told[100].1, "there are more mistakes than these");
    }

    #[test]
    fn any_text_is_read_or_refused() {
        let mut texts = vec![
            "a = [[[[[[[[[[1]]]]]]]]]]".to_owned(),
            "\u{feff}name = \"a\"".to_owned(),
            "[video]\r\nbitrate = 0xff\r\n".to_owned(),
            format!("hosts = {}", "[".repeat(200)),
            "a.b.c = 1\n[a]\nb = 2\n[[a.b]]\n[a.b.c]".to_owned(),
            "[light]\n[[light]]\n[light.x]".to_owned(),
        ];
        let whole = "name = \"a\"\n[video]\nbitrate = 1\n[[light]]\nname = \"a\"\npin = 1\n";
        texts.extend((0..whole.len()).map(|end| whole[..end].to_owned()));
        texts.extend((0..whole.len()).map(|at| format!("{}={}", &whole[..at], &whole[at..])));
        texts.extend((0..whole.len()).map(|at| format!("{}[{}", &whole[..at], &whole[at + 1..])));
        for text in texts {
            for (line, words) in mistakes(&text) {
                assert!(
                    line.is_none_or(|line| line <= text.lines().count().max(1) + 1),
                    "{text:?}"
                );
                assert!(!words.is_empty() && !words.contains('\n'), "{text:?}: {words}");
            }
        }
    }

    fn error(text: &str) -> String {
        parse::<Config>(text, "node.toml".as_ref())
            .expect_err(text)
            .to_string()
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line_and_the_nearest_known_one() {
        assert_eq!(
            error("# a comment\n[video]\nbitrat = 2"),
            "node.toml, line 3: there is no key `bitrat` here; did you mean `bitrate`?"
        );
        assert_eq!(
            error("[vidoe]"),
            "node.toml, line 1: there is no key `vidoe` here; did you mean `video`?"
        );
        assert_eq!(
            error("[video]\n\nelephants = 2"),
            "node.toml, line 3: there is no key `elephants` here; there are `bitrate`, `codec`, `gain`, `is_loud`, `kind`"
        );
    }

    #[test]
    fn other_mistakes_are_in_one_line_as_well() {
        for text in ["[video]\nbitrate = \"many\"", "[video]\nbitrate =", "[video"] {
            let error = error(text);
            assert!(error.starts_with("node.toml, line "), "{error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let path = Path::new("/nowhere/node.toml");
        let error = read::<Config>(path).expect_err("there is none").to_string();
        assert!(error.contains("/nowhere/node.toml"), "{error}");
    }

    #[test]
    fn a_file_is_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("node.toml");
        fs::write(&path, "[video]\nbitrate = 7\ncodec = \"VP8\"").expect("a file");
        let config: Config = read(&path).expect("valid");
        assert_eq!((config.video.bitrate, config.video.codec.as_str()), (7, "VP8"));
    }
}
