use std::path::Path;

use pinhole_service::config::ConfigError;

use super::Config;

/// Reads and checks a configuration file.
///
/// # Errors
/// It can't be read or is not valid.
pub fn load(path: &Path) -> Result<Config, ConfigError> {
    pinhole_service::config::read(path)
}

#[cfg(test)]
pub(super) fn parse(text: &str) -> Result<Config, ConfigError> {
    pinhole_service::config::parse(text, "node.toml".as_ref())
}
