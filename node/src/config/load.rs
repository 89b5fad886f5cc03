use std::path::Path;

use pinhole_service::config::{ConfigError, Objection, Source, or_default};
use pinhole_signaling::Token;

use super::Config;

/// Reads and checks a configuration file, and the tokens and EDIDs that it names.
///
/// # Errors
/// One of them can't be read or is not valid. All mistakes are told, in the order of the file.
pub fn load(path: &Path) -> Result<Config, ConfigError> {
    read(&Source::of_file(path)?, files)
}

/// [`load`], where there may be no file: then all keys have their defaults.
///
/// # Errors
/// The file is there, and can't be read or is not valid.
pub fn load_or_default(path: &Path) -> Result<Config, ConfigError> {
    or_default(load(path))
}

/// What [`load`] makes of a text that is that of `path`, but for what stands in other files.
///
/// # Errors
/// It is not valid.
pub fn parse(text: &str, path: &Path) -> Result<Config, ConfigError> {
    read(&Source::new(text, path), |_| Vec::new())
}

fn read(
    source: &Source,
    complete: impl FnOnce(&mut Config) -> Vec<Objection>,
) -> Result<Config, ConfigError> {
    let mut reading = source.read::<Config>();
    if let Some(config) = &mut reading.value {
        let mut objections = config.objections();
        objections.extend(complete(config));
        reading.object(objections);
    }
    reading.finish()
}

/// Reads the other files.
fn files(config: &mut Config) -> Vec<Objection> {
    let mut objections = tokens(config);
    objections.extend(config.cameras.read_files());
    objections
}

/// Reads the files with the tokens.
fn tokens(config: &mut Config) -> Vec<Objection> {
    let files = [
        (
            &config.signaling.token_file,
            &mut config.signaling.token,
            "signaling.token_file",
        ),
        (&config.http.token_file, &mut config.http.token, "http.token_file"),
    ];
    let mut objections = Vec::new();
    for (file, token, key) in files {
        match file.as_deref().map(Token::read).transpose() {
            Ok(read) => *token = read,
            Err(cause) => objections.push(Objection::new(key, format!("{key}: {cause}"))),
        }
    }
    objections
}
