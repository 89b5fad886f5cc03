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

/// What may have been left on.
#[derive(Debug, Default)]
pub struct Remains {
    /// What is to be made safe, in this order.
    pub pins: Vec<Gpio>,
    /// What could not be read. The rest does not depend on it.
    pub unread: Vec<ConfigError>,
}

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

    /// What a node that was killed may have left on: first what it had in use, and then what its next start finds in its configuration.
    pub fn remains(&self, configured: Result<Gpio, ConfigError>) -> Remains {
        let mut remains = Remains::default();
        for found in [self.read(), configured.map(Some)] {
            match found {
                Ok(Some(gpio)) if !remains.pins.contains(&gpio) => remains.pins.push(gpio),
                Ok(_) => {}
                Err(error) => remains.unread.push(error),
            }
        }
        remains
    }

    /// What was recorded, where something was.
    fn read(&self) -> Result<Option<Gpio>, ConfigError> {
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
    fn what_was_in_use_is_made_safe_whatever_the_configuration_says_by_now() {
        let directory = env::temp_dir().join(format!("pinhole-record-{}", std::process::id()));
        fs::create_dir_all(&directory).expect("the temporary directory can be written");
        let record = Record::within(&directory);
        let file = directory.join("node.toml");
        let light = |pin: &str| format!("[[gpio.output]]\nname = \"light\"\npin = {pin}\n");
        let first = toml::from_str("output = [{ name = \"light\", pin = 23 }]").expect("valid");
        record.write(&first).expect("written");
        let remains = |text: &str| {
            fs::write(&file, text).expect("written");
            let Remains { pins, unread } = record.remains(gpio::of_file(&file));
            let pins = pins.iter().map(|gpio| gpio.outputs[0].pin.to_string());
            let unread = unread.iter().map(ConfigError::to_string);
            (pins.collect::<Vec<_>>(), unread.collect::<Vec<_>>().join("; "))
        };
        let nothing = String::new();
        assert_eq!(remains(&light("23")), (vec!["23".to_owned()], nothing.clone()));
        // The pin is moved, and the node knows nothing of it; nor does it matter what is wrong elsewhere.
        let both = vec!["23".to_owned(), "24".to_owned()];
        assert_eq!(remains(&light("24")), (both.clone(), nothing.clone()));
        let elsewhere = "[signaling]\ntoken_file = \"/nowhere\"\nservr = 1\n";
        assert_eq!(remains(&format!("{elsewhere}{}", light("24"))), (both, nothing));
        for mistake in [light("\"/\""), "[[gpio.output".to_owned()] {
            let (pins, unread) = remains(&mistake);
            assert_eq!(pins, ["23"]);
            assert!(unread.contains("node.toml, line"), "{unread}");
        }
        // Nor does a file that is gone; but that is told, since it was named.
        fs::remove_file(&file).expect("it is there");
        let Remains { pins, unread } = record.remains(gpio::of_file(&file));
        assert_eq!((pins.len(), unread.len()), (1, 1));
        assert!(
            unread[0].to_string().contains("node.toml can't be read"),
            "{unread:?}"
        );
        let Remains { pins, unread } = Record(None).remains(gpio::of_file_or_default(&file));
        assert!(
            pins == [Gpio::default()] && unread.is_empty(),
            "{pins:?} {unread:?}"
        );
        // A record that can't be read does not keep the file from being obeyed.
        fs::write(directory.join(FILE), "[gpio").expect("written");
        let (pins, unread) = remains(&light("24"));
        assert_eq!(pins, ["24"]);
        assert!(unread.contains(FILE), "{unread}");
        fs::remove_dir_all(&directory).expect("removed");
    }

    #[test]
    fn without_a_directory_nothing_is_recorded() {
        let record = Record(None);
        record.write(&Gpio::default()).expect("nothing to do");
        assert_eq!(record.read().expect("nothing is wrong"), None);
    }
}
