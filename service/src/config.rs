//! Configuration files: TOML, strict, with errors that name the file, the line and what to write instead.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error as _},
};

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
    #[error("{}{}: {mistake}", path.display(), line.map(|line| format!(", line {line}")).unwrap_or_default())]
    Invalid {
        /// Its path.
        path: PathBuf,
        /// Where it stands, counted from 1, where that is known.
        line: Option<usize>,
        /// What is wrong, and what would be right.
        mistake: String,
    },
    /// A file that a key of it names, and that is read along with it, can't be used.
    #[error("{}: {key}: {cause}", path.display())]
    Secret {
        /// The path of the configuration.
        path: PathBuf,
        /// The key.
        key: &'static str,
        /// What is wrong with the file that it names.
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Reads a file into a `T`.
///
/// # Errors
/// It can't be read, is no TOML, has a key that `T` does not know (`T` has to deny those) or a value that it refuses.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<T, ConfigError> {
    let text = fs::read_to_string(path).map_err(|cause| ConfigError::Unreadable {
        path: path.to_owned(),
        cause,
    })?;
    parse(&text, path)
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
    toml::from_str(text).map_err(|error| ConfigError::Invalid {
        path: path.to_owned(),
        line: error.span().map(|span| line_of(text, span.start)),
        mistake: explain(error.message()),
    })
}

fn line_of(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    1 + before.iter().filter(|byte| **byte == b'\n').count()
}

/// The parser's words, and for an unknown key the nearest known one.
fn explain(message: &str) -> String {
    let message = message.trim().replace('\n', ", ");
    let Some(rest) = message.strip_prefix("unknown field ") else {
        return message;
    };
    let mut quoted = rest.split('`').skip(1).step_by(2);
    let Some(unknown) = quoted.next() else {
        return message;
    };
    let known: Vec<_> = quoted.collect();
    let distance = |name: &&str| strsim::damerau_levenshtein(unknown, name);
    let nearest = known.iter().copied().min_by_key(distance);
    match nearest {
        // Half of it right is a slip of the finger; less is another word.
        Some(nearest) if distance(&nearest) * 2 <= unknown.chars().count().max(2) => {
            format!("there is no key `{unknown}` here; did you mean `{nearest}`?")
        }
        Some(_) => format!(
            "there is no key `{unknown}` here; there are `{}`",
            known.join("`, `")
        ),
        None => format!("there is no key `{unknown}` here"),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Config {
        video: Video,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Video {
        bitrate: u32,
        codec: String,
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
            "node.toml, line 3: there is no key `elephants` here; there are `bitrate`, `codec`"
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
