use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use pinhole_service::quiet::Quiet;

use super::{Camera, CaptureError, Pattern, V4l2Camera, VideoSource, Want, v4l2};
use crate::media::Inlet;

/// The first camera that opens, or else, where there has never been one, the test picture. It says which, once for each change.
#[derive(Default)]
pub struct Auto {
    /// What it leaves to others, by the names that a configuration gives them.
    others: Vec<String>,
    /// How whichever it takes is to be set.
    inlet: Inlet,
    /// What was opened last.
    chosen: Mutex<Option<Choice>>,
    /// Those that were tried; each remembers what it has said.
    cameras: Mutex<HashMap<PathBuf, V4l2Camera>>,
}

/// What stands for `auto`.
#[derive(Clone, PartialEq, Eq)]
enum Choice {
    Camera(String),
    TestPicture,
}

impl Auto {
    /// The first camera that is none of `others`, which are named as in [`V4l2Camera::new`].
    pub fn besides(others: Vec<String>, inlet: Inlet) -> Self {
        Self {
            others,
            inlet,
            ..Self::default()
        }
    }

    /// The device nodes that are for others, as far as they are there.
    fn reserved(&self) -> Vec<PathBuf> {
        let others = self.others.iter();
        others
            .filter_map(|name| v4l2::resolve(name).ok())
            .map(|path| v4l2::node_of(&path))
            .collect()
    }

    /// The cameras that are there for it.
    fn candidates(&self) -> Vec<v4l2::Found> {
        let reserved = self.reserved();
        let mut found = v4l2::discover();
        found.retain(|found| !reserved.contains(&v4l2::node_of(&found.path)));
        found
    }

    fn camera(&self, found: v4l2::Found) -> V4l2Camera {
        V4l2Camera::new(found.path.to_string_lossy()).at(self.inlet.clone())
    }

    fn chosen(&self) -> Option<Choice> {
        self.chosen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Remembers the choice, and whether it is another than before.
    fn choose(&self, choice: Choice) -> bool {
        let mut chosen = self.chosen.lock().unwrap_or_else(PoisonError::into_inner);
        chosen.replace(choice.clone()) != Some(choice)
    }
}

/// Whether a camera that could be taken says this: one that is in use, or in trouble.
fn is_of_a_camera(error: &CaptureError) -> bool {
    // A loopback device that is not fed is none.
    error.is_transient() && !matches!(error, CaptureError::NoProducer { .. })
}

impl Camera for Auto {
    fn open(&self, want: &Want) -> Result<Box<dyn VideoSource>, CaptureError> {
        let mut failures = Vec::new();
        let mut cameras = self.cameras.lock().unwrap_or_else(PoisonError::into_inner);
        for found in self.candidates() {
            let path = found.path.clone();
            let camera = cameras.entry(path).or_insert_with(|| self.camera(found));
            match camera.open(want) {
                Ok(source) => {
                    static CHOSEN: Quiet = Quiet::new(10);
                    if self.choose(Choice::Camera(camera.describe()))
                        && let Some(others) = CHOSEN.may_say()
                    {
                        tracing::info!(
                            others,
                            camera = camera.describe(),
                            "device = \"auto\": took the first camera"
                        );
                    }
                    return Ok(source);
                }
                Err(error) => failures.push(error),
            }
        }
        // Whoever has a camera wants to see that it gives no picture, and its picture as soon as it does.
        if let Some(index) = failures.iter().position(is_of_a_camera) {
            return Err(failures.swap_remove(index));
        }
        if let Some(Choice::Camera(device)) = self.chosen() {
            return Err(failures.pop().unwrap_or(CaptureError::NotFound { device }));
        }
        if self.choose(Choice::TestPicture) {
            let why = if failures.is_empty() {
                let free = if self.others.is_empty() {
                    ""
                } else {
                    " that is not named elsewhere"
                };
                format!("there is no camera{free}")
            } else {
                let words: Vec<_> = failures.iter().map(CaptureError::to_string).collect();
                words.join("; ")
            };
            tracing::info!(why, "device = \"auto\": showing the test picture");
        }
        Pattern.open(want)
    }

    /// Any of them may be the one, so what one of them lacks keeps nothing from the others.
    fn prepare(&self) -> Result<(), CaptureError> {
        let candidates = self.candidates().into_iter();
        let outcomes: Vec<_> = candidates.map(|found| self.camera(found).prepare()).collect();
        outcomes.into_iter().collect()
    }

    fn describe(&self) -> String {
        match self.chosen() {
            Some(Choice::Camera(device)) => device,
            Some(Choice::TestPicture) => Pattern.describe(),
            None => "the first camera".to_owned(),
        }
    }

    fn is_superseded(&self) -> bool {
        self.chosen() == Some(Choice::TestPicture) && !self.candidates().is_empty()
    }
}
