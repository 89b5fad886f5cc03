//! The .deb packages that dev/deb makes, as files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::scratch::Scratch;

/// The packages, by the names that a person types.
pub const NAMES: [&str; 3] = ["pinhole-node", "pinhole-server", "pinhole-view"];

/// The packages for one architecture.
pub struct Packages {
    directory: PathBuf,
    files: Vec<PathBuf>,
}

impl Packages {
    /// Those in `$PINHOLE_DEBS/ARCHITECTURE`, where dev/deb leaves them.
    ///
    /// # Errors
    /// One of them is not there; the text says where it was looked for.
    pub fn find(architecture: &str) -> Result<Self, String> {
        let directory = directory().join(architecture);
        let files: Vec<PathBuf> = fs::read_dir(&directory)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "deb"))
            .collect();
        let packages = Self { directory, files };
        for name in NAMES {
            packages.look_up(name)?;
        }
        Ok(packages)
    }

    /// The file of the package of that name.
    pub fn file(&self, name: &str) -> &Path {
        self.look_up(name).unwrap_or_else(|error| panic!("{error}"))
    }

    fn look_up(&self, name: &str) -> Result<&Path, String> {
        let begin = format!("{name}_");
        let mut found = self.files.iter().filter(|path| {
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            file.starts_with(&begin)
        });
        let missing = || {
            format!(
                "no {begin}*.deb in {} (dev/deb makes it)",
                self.directory.display()
            )
        };
        let file = found.next().ok_or_else(missing)?;
        assert!(
            found.next().is_none(),
            "several {begin}*.deb in {}",
            self.directory.display()
        );
        Ok(file)
    }

    /// The same package with a higher version, as an upgrade brings it; `scratch` keeps the file.
    pub fn newer(&self, name: &str, scratch: &Scratch) -> PathBuf {
        let tree = scratch.path().join(name);
        deb(&["-R", text(self.file(name)), text(&tree)]);
        let control = tree.join("DEBIAN/control");
        let old = fs::read_to_string(&control).expect("a package has a control file");
        let new: String = old
            .lines()
            .map(|line| match line.strip_prefix("Version: ") {
                Some(version) => format!("Version: {version}+upgrade\n"),
                None => format!("{line}\n"),
            })
            .collect();
        assert_ne!(old, new, "the package has a version");
        fs::write(&control, new).expect("the scratch directory can be written");
        let file = scratch.path().join(format!("{name}-newer.deb"));
        deb(&["--root-owner-group", "-b", text(&tree), text(&file)]);
        file
    }
}

fn directory() -> PathBuf {
    if let Some(given) = std::env::var_os("PINHOLE_DEBS") {
        return given.into();
    }
    // As dev/env has it.
    let cache = std::env::var_os("PINHOLE_CACHE").map(PathBuf::from);
    let cache =
        cache.or_else(|| std::env::var_os("XDG_CACHE_HOME").map(|home| PathBuf::from(home).join("pinhole")));
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache/pinhole");
    cache.unwrap_or_else(home).join("debs")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

fn deb(words: &[&str]) {
    let output = Command::new("dpkg-deb")
        .args(words)
        .output()
        .expect("dpkg is installed");
    assert!(
        output.status.success(),
        "dpkg-deb {}: {}",
        words.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
}
