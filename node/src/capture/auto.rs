use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use super::{Camera, CaptureError, Pattern, V4l2Camera, VideoSource, Want, v4l2};

/// The first camera that opens, or else the test picture. It says which, once for each change.
#[derive(Default)]
pub struct Auto {
    /// What was opened last.
    chosen: Mutex<Option<String>>,
    /// Those that were tried; each remembers what it has said.
    cameras: Mutex<HashMap<PathBuf, V4l2Camera>>,
}

impl Auto {
    /// Remembers the choice, and whether it is another than before.
    fn choose(&self, choice: String) -> bool {
        let mut chosen = self.chosen.lock().unwrap_or_else(PoisonError::into_inner);
        chosen.replace(choice.clone()) != Some(choice)
    }
}

impl Camera for Auto {
    fn open(&self, want: &Want) -> Result<Box<dyn VideoSource>, CaptureError> {
        let mut failures = Vec::new();
        let mut cameras = self.cameras.lock().unwrap_or_else(PoisonError::into_inner);
        for found in v4l2::discover() {
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
                "there is no camera".to_owned()
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
