//! Where a recording goes, and what kind of file it is.

use std::{
    ffi::OsStr,
    fs::{File, OpenOptions},
    io,
    path::PathBuf,
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

    /// Opens the first file of the recording.
    ///
    /// # Errors
    /// Where that is not possible, or the file has come into being meanwhile.
    pub(super) fn open(&self) -> Result<Opened, RecordError> {
        self.open_as(self.path.clone())
    }

    /// Opens the file that goes on where part `number - 1` ended: `porch-2.mkv`, or the next number that is free.
    ///
    /// # Errors
    /// Where that is not possible.
    pub(super) fn open_part(&self, number: &mut u32) -> Result<Opened, RecordError> {
        let text = |part: Option<&OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
        let (stem, extension) = (text(self.path.file_stem()), text(self.path.extension()));
        loop {
            let opened = self.open_as(self.path.with_file_name(format!("{stem}-{number}.{extension}")));
            if !matches!(opened, Err(RecordError::Exists(_))) {
                return opened;
            }
            *number += 1;
        }
    }

    fn open_as(&self, path: PathBuf) -> Result<Opened, RecordError> {
        let is_new = !path.exists();
        let mut options = OpenOptions::new();
        // What is there stays until there is something to put in its place; and `create_new` leaves no moment
        // between looking and making.
        options
            .write(true)
            .create(self.overwrite)
            .create_new(!self.overwrite);
        match options.open(&path) {
            Ok(file) => Ok(Opened { path, file, is_new }),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(RecordError::Exists(path)),
            Err(source) => Err(RecordError::Write { path, source }),
        }
    }
}

/// A file that nothing was written to yet.
pub(super) struct Opened {
    pub(super) path: PathBuf,
    file: File,
    /// Whether we made it.
    is_new: bool,
}

impl Opened {
    /// The file, empty.
    ///
    /// # Errors
    /// Where what it held can't be removed.
    pub(super) fn into_empty(self) -> Result<(PathBuf, File), RecordError> {
        match self.file.set_len(0) {
            Ok(()) => Ok((self.path, self.file)),
            Err(source) => Err(RecordError::Write {
                path: self.path,
                source,
            }),
        }
    }

    /// Leaves everything as it was before.
    ///
    /// # Errors
    /// Where our empty file can't be removed.
    pub(super) fn discard(self) -> Result<(), RecordError> {
        if !self.is_new {
            return Ok(());
        }
        std::fs::remove_file(&self.path).map_err(|source| RecordError::Write {
            path: self.path,
            source,
        })
    }
}
