use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::Config;

/// Why a configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("the configuration {path} can't be read: {cause}")]
    Unreadable {
        /// Its path.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// The file says something wrong; the text names the line.
    #[error("the configuration {path} is not valid: {cause}")]
    Invalid {
        /// Its path.
        path: PathBuf,
        /// What is wrong, and where.
        cause: Box<toml::de::Error>,
    },
}

/// Reads and checks a configuration file.
///
/// # Errors
/// It can't be read or is not valid.
pub fn load(path: &Path) -> Result<Config, ConfigError> {
    let text = fs::read_to_string(path).map_err(|cause| ConfigError::Unreadable {
        path: path.to_owned(),
        cause,
    })?;
    parse(&text, path)
}

pub(super) fn parse(text: &str, path: &Path) -> Result<Config, ConfigError> {
    toml::from_str(text).map_err(|cause| ConfigError::Invalid {
        path: path.to_owned(),
        cause: Box::new(cause),
    })
}
