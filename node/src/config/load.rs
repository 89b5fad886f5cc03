use std::{
    fs, io,
    path::{Path, PathBuf},
};

use pinhole_signaling::{Token, TokenFileError};

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
    /// The access token that the file names can't be used.
    #[error("the configuration {path}: signaling.token_file: {cause}")]
    Token {
        /// The path of the configuration.
        path: PathBuf,
        /// What is wrong with the token's file.
        cause: TokenFileError,
    },
}

/// Reads and checks a configuration file, and the access token that it names.
///
/// # Errors
/// One of the two can't be read or is not valid.
pub fn load(path: &Path) -> Result<Config, ConfigError> {
    let text = fs::read_to_string(path).map_err(|cause| ConfigError::Unreadable {
        path: path.to_owned(),
        cause,
    })?;
    let mut config = parse(&text, path)?;
    let token = config.signaling.token_file.as_deref().map(Token::read);
    config.signaling.token = token.transpose().map_err(|cause| ConfigError::Token {
        path: path.to_owned(),
        cause,
    })?;
    Ok(config)
}

pub(super) fn parse(text: &str, path: &Path) -> Result<Config, ConfigError> {
    toml::from_str(text).map_err(|cause| ConfigError::Invalid {
        path: path.to_owned(),
        cause: Box::new(cause),
    })
}
