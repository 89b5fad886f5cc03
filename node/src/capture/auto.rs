use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use super::{Camera, CaptureError, Pattern, V4l2Camera, VideoSource, Want, v4l2};

/// The first camera that opens, or else the test picture. It says which, once for each change.
#[derive(Default)]
pub struct Auto {
    /// What it leaves to others, by the names that a configuration gives them.
    others: Vec<String>,
    /// What was opened last.
    chosen: Mutex<Option<String>>,
    /// Those that were tried; each remembers what it has said.
    cameras: Mutex<HashMap<PathBuf, V4l2Camera>>,
}

impl Auto {
    /// The first camera that is none of `others`, which are named as in [`V4l2Camera::new`].
    pub fn besides(others: Vec<String>) -> Self {
        Self {
            others,
            ..Self::default()
        }
    }

    /// The device nodes that are for others, as far as they are there.
    fn reserved(&self) -> Vec<PathBuf> {
        let others = self.others.iter();
        others
            .filter_map(|name| v4l2::resolve(name).ok())
            .map(|path| node(&path))
            .collect()
    }

    /// Remembers the choice, and whether it is another than before.
    fn choose(&self, choice: String) -> bool {
        let mut chosen = self.chosen.lock().unwrap_or_else(PoisonError::into_inner);
        chosen.replace(choice.clone()) != Some(choice)
    }
}

/// A device node as the kernel calls it, behind all links.
fn node(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

impl Camera for Auto {
    fn open(&self, want: &Want) -> Result<Box<dyn VideoSource>, CaptureError> {
        let mut failures = Vec::new();
        let mut cameras = self.cameras.lock().unwrap_or_else(PoisonError::into_inner);
        let reserved = self.reserved();
        let found = v4l2::discover().into_iter();
        for found in found.filter(|found| !reserved.contains(&node(&found.path))) {
            let name = found.path.to_string_lossy().into_owned();
            let camera = cameras.entry(found.path).or_insert_with(|| V4l2Camera::new(name));
            match camera.open(want) {
                Ok(source) => {
                    if self.choose(camera.describe()) {
                        tracing::info!(
                            camera = camera.describe(),
                            "device = \"auto\": took the first camera"
                        );
                    }
                    return Ok(source);
                }
                Err(error) => failures.push(error.to_string()),
            }
        }
        if self.choose(Pattern.describe()) {
            let why = if failures.is_empty() {
                let free = if self.others.is_empty() {
                    ""
                } else {
                    " that is not named elsewhere"
                };
                format!("there is no camera{free}")
            } else {
                failures.join("; ")
            };
            tracing::info!(why, "device = \"auto\": showing the test picture");
        }
        Pattern.open(want)
    }

    fn describe(&self) -> String {
        let chosen = self.chosen.lock().unwrap_or_else(PoisonError::into_inner);
        chosen.clone().unwrap_or_else(|| "the first camera".to_owned())
    }
}
