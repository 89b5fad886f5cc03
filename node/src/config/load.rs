use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::Config;

/// Why a configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("the configuration {path} can't be read: {source}")]
    Unreadable {
        /// Its path.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file says something wrong; the text names the line.
    #[error("the configuration {path} is not valid: {source}")]
    Invalid {
        /// Its path.
        path: PathBuf,
        /// What is wrong, and where.
        source: Box<toml::de::Error>,
    },
}

/// Reads and checks a configuration file.
///
/// # Errors
/// It can't be read or is not valid.
pub fn load(path: &Path) -> Result<Config, ConfigError> {
    let text = fs::read_to_string(path).map_err(|source| ConfigError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    parse(&text, path)
}

pub(super) fn parse(text: &str, path: &Path) -> Result<Config, ConfigError> {
    toml::from_str(text).map_err(|source| ConfigError::Invalid {
        path: path.to_owned(),
        source: Box::new(source),
    })
}
