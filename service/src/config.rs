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
    fn common_slips_are_told_with_what_to_write() {
        for (line, expected) in [
            ("gain = 7,5", "`7,5` has a comma; a number has a point: 7.5"),
            (
                "gain = -7,5 # loud",
                "`-7,5` has a comma; a number has a point: -7.5",
            ),
            ("is_loud = True", "`True` is written in small letters: true"),
            ("is_loud = FALSE", "`FALSE` is written in small letters: false"),
            (
                "is_loud = yes",
                "`yes` has to be true where something is switched, and in quotes, \"yes\", where a text belongs",
            ),
            (
                "is_loud = Off",
                "`Off` has to be false where something is switched, and in quotes, \"Off\", where a text belongs",
            ),
            (
                "codec = “VP8”",
                "`“VP8”` has curly quotes, “, as text programs make them; write straight ones: \"VP8\"",
            ),
            (
                "codec = ‘VP8’",
                "`‘VP8’` has curly quotes, ‘, as text programs make them; write straight ones: \"VP8\"",
            ),
            (
                "codec = \"VP8”",
                "this text has a curly quote, ”, where it ends; write the straight one with which it begins",
            ),
            (
                "“codec” = 1",
                "a key has no quotes, and this one has a curly one, “; leave it out",
            ),
            (
                "codec = VP8 # as it is",
                "`VP8` is text, and text has to be in quotes: \"VP8\"",
            ),
            (
                "codec = true colours",
                "`true colours` is text, and text has to be in quotes: \"true colours\"",
            ),
            (
                "codec = the \"VP8\"",
                "`the \"VP8\"` is text, and text has to be in quotes: 'the \"VP8\"'",
            ),
            (
                "codec = 127.0.0.1:80",
                "`127.0.0.1:80` is text, and text has to be in quotes: \"127.0.0.1:80\"",
            ),
            (
                "codec = /dev/video0",
                "`/dev/video0` is text, and text has to be in quotes: \"/dev/video0\"",
            ),
            (
                "codec = VP8\"",
                "the text `VP8\"` has no quote where it begins: write \"VP8\"",
            ),
            (
                "codec = \"C:\\VP8\"",
                "a backslash in a text in double quotes stands for a special letter; put the text into single quotes, or write \\\\ \
                 for each",
            ),
            ("bitrate = 07", "`07` begins with a zero; write 7"),
            (
                "gain = 1.",
                "`1.` is no number as TOML has them, which are written as 7, -7 or 7.5",
            ),
            ("gain = 30;", "`30;` has something behind its value; write 30"),
            (
                "codec = \"a\";",
                "there is a `;` at the end of this line; remove it",
            ),
            ("gain = 30,", "there is a `,` at the end of this line; remove it"),
            (
                "codec = \"a\", bitrat = 5",
                "`codec` has its value already, and `bitrat = 5` is too much; write what comes next into a line of its own",
            ),
            (
                "codec = \"a\" // VP8",
                "a comment begins with `#`, and not with `//`",
            ),
            ("codec == \"a\"", "there are two `=` behind `codec`; write one"),
            (
                "codec =",
                "`codec` has no value; write it behind a `=`, as key = \"text\" or key = 5",
            ),
            (
                "bitrate = 2026-13-45",
                "`2026-13-45` is text, and text has to be in quotes: \"2026-13-45\"",
            ),
        ] {
            let text = format!("[video]\n{line}\nbitrat = 1");
            let rest = "there is no key `bitrat` here; did you mean `bitrate`?";
            assert_eq!(mistakes(&text), at(&[(2, expected), (3, rest)]), "{text}");
        }
    }

    #[test]
    fn a_line_without_a_key_hides_nothing_behind_it() {
        for (line, expected) in [
            ("// VP8", "a comment begins with `#`, and not with `//`"),
            (
                "name: a",
                "`name` has a colon behind it; write a `=`, as name = ...",
            ),
            (
                "name",
                "`name` has no value; write it behind a `=`, as key = \"text\" or key = 5",
            ),
            (
                "my name = \"a\"",
                "`my name` can't be a key, which is one word of letters, digits, `-` and `_`",
            ),
        ] {
            let text = format!("[[light]]\n{line}\npin = 1\nlevl = 5\n[video]\nbitrat = 1");
            let levl = "there is no key `levl` here; did you mean `level`?";
            let rest = "there is no key `bitrat` here; did you mean `bitrate`?";
            assert_eq!(
                mistakes(&text),
                at(&[(2, expected), (4, levl), (6, rest)]),
                "{text}"
            );
        }
    }

    #[test]
    fn a_list_in_which_something_is_wrong_is_told_where_it_begins() {
        for (text, expected) in [
            (
                "name = \"a\"\nhosts = [\"a\", \"b\"\n\n[video]\nbitrate = \"many\"\nkind = 5\n[[light]]\n[vido]",
                &[(2, "the list of `hosts` that begins here has no `]` at its end")][..],
            ),
            (
                "hosts = [\n  \"a\",\n  \"b\",\nname = 5",
                &[(1, "the list of `hosts` that begins here has no `]` at its end")],
            ),
            (
                // What it has swallowed is not missing.
                "nme = 1\n[[light]]\nname = [\"a\"\npin = 7\n[video]\nbitrate = -1",
                &[
                    (1, "there is no key `nme` here; did you mean `name`?"),
                    (3, "the list of `name` that begins here has no `]` at its end"),
                ],
            ),
            (
                "[[light]]\nlevel = 300\n[[light]]\npin = { number = [1\n}\nname = \"a\"",
                &[
                    (1, "this [[light]] has no `name`, and needs one"),
                    (1, "this [[light]] has no `pin`, and needs one"),
                    (
                        2,
                        "`level` is the number 300; it has to be a whole number from 0 to 255",
                    ),
                    (4, "the list of `number` that begins here has no `]` at its end"),
                ],
            ),
            (
                "light = [{ name = \"a\", pin = 1 ]\nnme = 5",
                &[(1, "what stands in braces begins here, and has no `}` at its end")],
            ),
            (
                "hosts = [\"a\" \"b\"]\nnme = 1",
                &[
                    (
                        1,
                        "a comma is missing here, in front of what comes next in the list or the braces",
                    ),
                    (2, "there is no key `nme` here; did you mean `name`?"),
                ],
            ),
            (
                "hosts = [a, b]\nnme = 1",
                &[
                    (1, "`a` is text, and text has to be in quotes: \"a\""),
                    (2, "there is no key `nme` here; did you mean `name`?"),
                ],
            ),
            (
                "name = \"a\n[video]\nbitrate = -1",
                &[(1, "a quote is missing at the end of a text")],
            ),
            (
                "hosts = [\"a\", \"b]\n[video]\nbitrate = -1",
                &[(1, "a quote is missing at the end of a text")],
            ),
        ] {
            assert_eq!(mistakes(text), at(expected), "{text}");
        }
    }

    #[test]
    fn a_header_without_a_bracket_is_the_only_mistake_from_there_on() {
        for (header, expected) in [
            ("[video", "a bracket is missing: write [video]"),
            ("[video # how", "a bracket is missing: write [video]"),
            ("video]", "a bracket is missing: write [video]"),
            ("light]]", "brackets are missing: write [[light]]"),
            (
                "[[light]",
                "a bracket is missing: there have to be two on each side, [[light]]",
            ),
            (
                "[[light",
                "a bracket is missing: there have to be two on each side, [[light]]",
            ),
        ] {
            let text =
                format!("nme = 1\n{header}\nbitrate = -1\n[video]\nbitrat = 1\n[[light]]\nlevel = 300");
            let expected = [
                (1, "there is no key `nme` here; did you mean `name`?"),
                (2, expected),
            ];
            assert_eq!(mistakes(&text), at(&expected), "{text}");
        }
    }

    #[test]
    fn of_a_section_that_has_to_be_several_only_the_first_fault_is_told() {
        let within = "[light.pin] belongs to the [[light]] above it, and there is none; write [[light]] in front of it, and its keys between \
                      them";
        let single = "`light` is a section; it has to be written as [[light]], with two brackets";
        let bitrat = "there is no key `bitrat` here; did you mean `bitrate`?";
        for (text, expected) in [
            (
                "[light.pin]\nx = 5\n[video]\nbitrat = 1",
                &[(1, within), (4, bitrat)][..],
            ),
            (
                "[light.pin]\nx = 5\n[[light]]\nname = \"a\"\n[light.pin]\n[video]\nbitrat = 1",
                &[(1, within), (7, bitrat)],
            ),
            (
                "[light]\nname = \"a\"\npin = 1\n[[light]]\nname = \"b\"\npin = 2",
                &[(1, single)],
            ),
            (
                "[[light]]\nname = \"a\"\npin = 1\n[light]\nname = \"b\"\npin = 2",
                &[(4, single)],
            ),
            ("[light]\nname = \"a\"\n[light]\nname = \"b\"", &[(3, single)]),
            ("[light]\n[light.pin]\nx = 1", &[(1, single)]),
        ] {
            assert_eq!(mistakes(text), at(expected), "{text}");
        }
    }

    #[test]
    fn a_text_where_a_list_belongs_is_told_as_the_list_of_its_words() {
        let list = |text: &str| {
            let told = mistakes(&format!("hosts = '{text}'")).remove(0).1;
            told.split_once("it has to be ")
                .expect("what it has to be")
                .1
                .to_owned()
        };
        for (text, expected) in [
            ("a", "a list: write [\"a\"]"),
            ("ffmpeg -i x", "a list: write [\"ffmpeg\", \"-i\", \"x\"]"),
            (" a,  b, c ", "a list: write [\"a\", \"b\", \"c\"]"),
            (
                "ffmpeg -vf fps=1,scale=2",
                "a list: write [\"ffmpeg\", \"-vf\", \"fps=1,scale=2\"]",
            ),
            (
                "1 2 3 4 5 6 7 8 9",
                "a list: write [\"1\", \"2\", \"3\", \"4\", \"5\", \"6\", \"7\", \"8\", ...]",
            ),
            // How a shell splits these is not for us to guess.
            ("sh -c \"a b\"", "a list in square brackets"),
            ("a | b", "a list in square brackets"),
            ("", "a list in square brackets"),
        ] {
            assert_eq!(list(text), expected, "{text}");
        }
    }

    #[test]
    fn the_password_of_an_address_is_not_repeated() {
        for text in [
            "hosts = \"ffmpeg -i rtsp://me:secret@192.0.2.9/1 -f x\"",
            "hosts = rtsp://me:secret@192.0.2.9/1",
            "[video]\nkind = \"rtsp://secret@192.0.2.9\"",
        ] {
            let told = mistakes(text).remove(0).1;
            assert!(
                told.contains("rtsp://...@192.0.2.9") && !told.contains("secret"),
                "{told}"
            );
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
