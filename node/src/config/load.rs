use std::path::{Path, PathBuf};

use pinhole_service::config::{ConfigError, or_default};
use pinhole_signaling::Token;

use super::Config;

/// Reads and checks a configuration file, and the tokens that it names.
///
/// # Errors
/// One of them can't be read or is not valid.
pub fn load(path: &Path) -> Result<Config, ConfigError> {
    let mut config: Config = consistent(pinhole_service::config::read(path)?, path)?;
    let secret = |file: &Option<PathBuf>, key| {
        let token = file.as_deref().map(Token::read);
        token.transpose().map_err(|cause| ConfigError::Secret {
            path: path.to_owned(),
            key,
            cause: Box::new(cause),
        })
    };
    config.signaling.token = secret(&config.signaling.token_file, "signaling.token_file")?;
    config.http.token = secret(&config.http.token_file, "http.token_file")?;
    Ok(config)
}

/// [`load`], where there may be no file: then all keys have their defaults.
///
/// # Errors
/// The file is there, and can't be read or is not valid.
pub fn load_or_default(path: &Path) -> Result<Config, ConfigError> {
    or_default(load(path))
}

fn consistent(config: Config, path: &Path) -> Result<Config, ConfigError> {
    match config.contradiction() {
        None => Ok(config),
        Some(mistake) => Err(ConfigError::Invalid {
            path: path.to_owned(),
            line: None,
            mistake,
        }),
    }
}

/// What [`load`] makes of this text, but for the tokens.
#[cfg(any(test, fuzzing))]
pub(crate) fn parse(text: &str) -> Result<Config, ConfigError> {
    let path = "node.toml".as_ref();
    consistent(pinhole_service::config::parse(text, path)?, path)
}
