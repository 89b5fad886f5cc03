//! Where a recording goes, and what kind of file it is.

use std::{
    fs::{File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use super::{RecordError, matroska::Flavour};
use crate::receive::Codec;

/// What a recording is to become, checked.
#[derive(Clone, Debug)]
pub struct Target {
    path: PathBuf,
    pub(super) flavour: Flavour,
    overwrite: bool,
}

impl Target {
    /// The file at `path`, whose kind its name tells; `overwrite` allows it to exist.
    ///
    /// # Errors
    /// Where the name has no known ending, the codec does not fit, or the file exists.
    pub fn new(path: PathBuf, overwrite: bool, codec: Option<Codec>) -> Result<Self, RecordError> {
        let extension = path
            .extension()
            .and_then(|extension| extension.to_str())
            .unwrap_or_default();
        let flavour = match extension.to_ascii_lowercase().as_str() {
            "mkv" => Flavour::Matroska,
            "webm" => Flavour::WebM,
            _ => return Err(RecordError::Extension(path)),
        };
        if let (Flavour::WebM, Some(codec @ Codec::H264)) = (flavour, codec) {
            return Err(RecordError::Codec { path, codec });
        }
        if !overwrite && path.exists() {
            return Err(RecordError::Exists(path));
        }
        Ok(Self {
            path,
            flavour,
            overwrite,
        })
    }

    /// The codec that the file demands, if it is not all the same to it.
    pub fn codec(&self) -> Option<Codec> {
        match self.flavour {
            Flavour::Matroska => None,
            Flavour::WebM => Some(Codec::Vp8),
        }
    }

    /// The name of part `number` of the recording: `porch.mkv`, `porch-2.mkv`, …
    pub(super) fn part(&self, number: u32) -> PathBuf {
        if number == 1 {
            return self.path.clone();
        }
        let text = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
        let (stem, extension) = (text(self.path.file_stem()), text(self.path.extension()));
        self.path.with_file_name(format!("{stem}-{number}.{extension}"))
    }

    pub(super) fn create(&self, path: &Path) -> Result<File, RecordError> {
        let mut options = OpenOptions::new();
        options.write(true);
        // `create_new` leaves no moment between looking and making.
        let options = if self.overwrite {
            options.create(true).truncate(true)
        } else {
            options.create_new(true)
        };
        options.open(path).map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => RecordError::Exists(path.to_owned()),
            _ => RecordError::Write {
                path: path.to_owned(),
                source,
            },
        })
    }
}
