use std::{io::ErrorKind, path::Path};

use pinhole_service::config::ConfigError;

use super::Config;

/// Reads and checks a configuration file.
///
/// # Errors
/// It can't be read or is not valid.
pub fn load(path: &Path) -> Result<Config, ConfigError> {
    pinhole_service::config::read(path)
}

/// [`load`], where there may be no file: then all keys have their defaults.
///
/// # Errors
/// The file is there, and can't be read or is not valid.
pub fn load_or_default(path: &Path) -> Result<Config, ConfigError> {
    match load(path) {
        Err(ConfigError::Unreadable { cause, .. }) if cause.kind() == ErrorKind::NotFound => {
            Ok(Config::default())
        }
        outcome => outcome,
    }
}

#[cfg(test)]
pub(super) fn parse(text: &str) -> Result<Config, ConfigError> {
    pinhole_service::config::parse(text, "node.toml".as_ref())
}
