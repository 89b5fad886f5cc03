use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use pinhole_service::config::ConfigError;

use crate::config::{Gpio, gpio};

/// Its name in the service's runtime directory.
const FILE: &str = "gpio.toml";

/// What the node has in use of `[gpio]`, on file: for `pinhole-node safe` after a kill, when the configuration may say something
/// else by then, or have a mistake that a reload has refused.
pub struct Record(Option<PathBuf>);

impl Record {
    /// In the runtime directory that the service manager gives (`RUNTIME_DIRECTORY`, systemd.exec(5)). Without one nothing is
    /// recorded.
    pub fn of_service() -> Self {
        // Several are separated by colons.
        let directories = env::var_os("RUNTIME_DIRECTORY");
        let first = directories.and_then(|all| env::split_paths(&all).next());
        let first = first.filter(|directory| directory.is_absolute());
        Self(first.map(|directory| directory.join(FILE)))
    }

    #[cfg(test)]
    pub(super) fn within(directory: &Path) -> Self {
        Self(Some(directory.join(FILE)))
    }

    /// Says that these pins are in use from now on, and no others.
    ///
    /// # Errors
    /// It can't be written. What was recorded before stays.
    pub(super) fn write(&self, gpio: &Gpio) -> io::Result<()> {
        let Some(path) = &self.0 else { return Ok(()) };
        let text = gpio::as_file(gpio).map_err(io::Error::other)?;
        // Whole or not at all: the node may be killed at any time.
        let new = path.with_extension("new");
        fs::write(&new, text)?;
        fs::rename(&new, path)
    }

    /// What was recorded, where something was.
    ///
    /// # Errors
    /// It can't be read.
    pub fn read(&self) -> Result<Option<Gpio>, ConfigError> {
        match &self.0 {
            Some(path) if is_there(path) => gpio::of_file(path).map(Some),
            _ => Ok(None),
        }
    }
}

/// Also where it can't be told: reading it then says why.
fn is_there(path: &Path) -> bool {
    path.try_exists().unwrap_or(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_in_use_is_known_whatever_the_configuration_says_by_now() {
        let directory = env::temp_dir().join(format!("pinhole-record-{}", std::process::id()));
        fs::create_dir_all(&directory).expect("the temporary directory can be written");
        let record = Record::within(&directory);
        assert_eq!(record.read().expect("nothing is wrong"), None);
        let file = directory.join("node.toml");
        let light = "[[gpio.output]]\nname = \"light\"\npin = ";
        let config = |text: &str| {
            fs::write(&file, text).expect("written");
            gpio::of_file(&file)
        };
        let first = config(&format!("{light}23\n")).expect("valid");
        record.write(&first).expect("written");
        // The pin is moved, and there is a mistake elsewhere: a reload refuses that.
        let moved = format!("[signaling]\ntoken_file = \"/nowhere\"\nservr = 1\n{light}24\n");
        let moved = config(&moved).expect("the rest does not matter");
        assert_ne!(moved, first);
        assert!(config(&format!("{light}\"/\"\n")).is_err());
        assert_eq!(record.read().expect("it was written"), Some(first));
        record.write(&moved).expect("written");
        assert_eq!(record.read().expect("it was written"), Some(moved));
        fs::write(directory.join(FILE), "[gpio").expect("written");
        let error = record.read().expect_err("half a file").to_string();
        assert!(error.contains(FILE), "{error}");
        fs::remove_dir_all(&directory).expect("removed");
    }

    #[test]
    fn without_a_directory_nothing_is_recorded() {
        let record = Record(None);
        record.write(&Gpio::default()).expect("nothing to do");
        assert_eq!(record.read().expect("nothing is wrong"), None);
    }
}
