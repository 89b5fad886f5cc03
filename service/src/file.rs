//! Files that a person names. What is none, or has no end, is refused: nobody would know what a program waits for that reads it.

use std::{
    fs::{File, FileType, OpenOptions},
    io::{self, Read},
    os::unix::fs::{FileTypeExt, OpenOptionsExt},
    path::Path,
};

use rustix::fs::OFlags;

/// Reads all of a file that has this many bytes at most.
///
/// A pipe is read as well where it is one of the program's own descriptors, as `/dev/stdin` or what a shell makes of `<(command)`: then
/// somebody is there who writes. One in the file system may have nobody.
///
/// # Errors
/// It can't be read, is neither of these, or longer.
pub(crate) fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        let most = most / 1024;
        return Err(io::Error::other(format!("it is longer than {most} KiB")));
    }
    Ok(bytes)
}

fn open(path: &Path) -> io::Result<File> {
    let is_own = ["/dev/stdin", "/dev/fd", "/proc/self/fd"]
        .iter()
        .any(|own| path.starts_with(own));
    let mut options = OpenOptions::new();
    options.read(true);
    if !is_own {
        // To open a pipe waits for who writes to it.
        options.custom_flags(OFlags::NONBLOCK.bits().cast_signed());
    }
    let file = options.open(path)?;
    let kind = file.metadata()?.file_type();
    if kind.is_file() || (is_own && kind.is_fifo()) {
        return Ok(file);
    }
    Err(io::Error::other(format!("it is {}, and not a file", what(kind))))
}

fn what(kind: FileType) -> &'static str {
    match kind {
        kind if kind.is_dir() => "a directory",
        kind if kind.is_fifo() => "a pipe",
        kind if kind.is_socket() => "a socket",
        kind if kind.is_char_device() || kind.is_block_device() => "a device",
        _ => "something else",
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::fd::AsRawFd};

    use super::*;

    #[test]
    fn what_is_no_file_is_refused_at_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.expect("a program of every system").success());
        for (path, says) in [
            (pipe.as_path(), "it is a pipe, and not a file"),
            (folder.path(), "it is a directory, and not a file"),
            (Path::new("/dev/zero"), "it is a device, and not a file"),
            (Path::new("/dev/null"), "it is a device, and not a file"),
        ] {
            let error = read(path, 100).expect_err("refused").to_string();
            assert_eq!(error, says, "{}", path.display());
        }
        let missing = read(&folder.path().join("missing"), 100).expect_err("there is none");
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_file_that_is_too_long_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        fs::write(&path, [b'x'; 2048]).expect("written");
        assert_eq!(read(&path, 2048).expect("long enough").len(), 2048);
        let error = read(&path, 2047).expect_err("too long").to_string();
        assert_eq!(error, "it is longer than 1 KiB");
        // What says that it has no length has one.
        assert!(
            !read(Path::new("/proc/self/status"), 1 << 20)
                .expect("a file")
                .is_empty()
        );
    }

    #[test]
    fn a_pipe_of_our_own_is_read() {
        let (reader, writer) = io::pipe().expect("a pipe");
        let written = std::thread::spawn(move || io::Write::write_all(&mut &writer, b"name = 'porch'"));
        let path = format!("/dev/fd/{}", reader.as_raw_fd());
        assert_eq!(read(path.as_ref(), 100).expect("read"), b"name = 'porch'");
        written.join().expect("no panic").expect("written");
    }
}
