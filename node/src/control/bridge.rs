//! Programs on this machine take part: a UNIX socket, one message a line, the same protocol (docs/control.md). Who may
//! open the file may do everything.

use std::{
    io,
    os::unix::{
        fs::{FileTypeExt, MetadataExt, PermissionsExt},
        net::UnixStream as Probe,
    },
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use pinhole_service::quiet::Quiet;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream, unix::OwnedReadHalf},
    sync::mpsc,
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::{Behind, ClientId, Full, Handle, LONGEST, Origin, Outlet};
use crate::media::Bucket;

/// Programs at the same time.
const PROGRAMS: usize = 8;
/// Messages that may wait for one of them.
const QUEUE: usize = 64;
/// Who reads nothing for so long is hung up on.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two tries to be heard, where the thread has more to do than it can.
const AGAIN: Duration = Duration::from_millis(10);
/// For the node's user and group.
const MODE: u32 = 0o660;

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub enum BridgeError {
    /// Somebody listens there.
    #[error("{} is in use by another program, perhaps another node; choose another `socket` in [control]", .0.display())]
    InUse(PathBuf),
    /// Something else has the name.
    #[error("{} is there, and is no socket; choose another `socket` in [control]", .0.display())]
    NoSocket(PathBuf),
    /// What the system says.
    #[error("{}: {cause}; its directory has to exist and to be writable for the node (`socket` in [control])", path.display())]
    Bind {
        /// Where.
        path: PathBuf,
        /// What.
        cause: io::Error,
    },
}

/// The socket. It is removed when this is dropped.
#[derive(Debug)]
pub struct Bridge {
    listener: UnixListener,
    file: File,
}

#[derive(Debug)]
struct File {
    path: PathBuf,
    /// Which file it is: another one of the name is not ours.
    inode: Option<u64>,
}

impl Bridge {
    /// Listens there. A socket that a node left which was killed is replaced.
    ///
    /// # Errors
    /// It can't be done.
    pub fn bind(path: &Path) -> Result<Self, BridgeError> {
        let failed = |cause| BridgeError::Bind {
            path: path.to_owned(),
            cause,
        };
        match std::fs::symlink_metadata(path) {
            Err(_) => {}
            Ok(file) if !file.file_type().is_socket() => return Err(BridgeError::NoSocket(path.to_owned())),
            Ok(_) => match Probe::connect(path) {
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    std::fs::remove_file(path).map_err(failed)?;
                }
                Err(error) => return Err(failed(error)),
                Ok(_) => return Err(BridgeError::InUse(path.to_owned())),
            },
        }
        let listener = UnixListener::bind(path).map_err(failed)?;
        let file = File {
            path: path.to_owned(),
            inode: std::fs::metadata(path).ok().map(|file| file.ino()),
        };
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(MODE)).map_err(failed)?;
        Ok(Self { listener, file })
    }

    /// Lets programs take part until `stop`.
    pub async fn run(self, handle: Handle, stop: CancellationToken) {
        info!("programs reach the node at {}", self.file.path.display());
        let mut programs = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(_) = programs.join_next() => {}
                accepted = self.listener.accept(), if programs.len() < PROGRAMS => match accepted {
                    Ok((stream, _)) => drop(programs.spawn(serve(stream, handle.clone()))),
                    // Too many open files, in most cases: some will be closed.
                    Err(error) => {
                        static FAILED: Quiet = Quiet::new(1);
                        if let Some(others) = FAILED.may_say() {
                            warn!(others, "{}: {error}", self.file.path.display());
                        }
                        tokio::time::sleep(Duration::from_secs(1)).await;
                    }
                },
            }
        }
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let inode = std::fs::metadata(&self.path).ok().map(|file| file.ino());
        if inode.is_some() && inode == self.inode {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// The way to a program.
struct Queue {
    lines: mpsc::Sender<String>,
    gone: Arc<AtomicBool>,
}

impl Outlet for Queue {
    fn say(&self, text: String) -> Result<(), Behind> {
        self.lines.try_send(text).map_err(|_| Behind)
    }

    fn has_room(&self) -> bool {
        self.lines.capacity() > QUEUE / 2
    }

    fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Relaxed) || self.lines.is_closed()
    }
}

/// Tells the thread also where this task is dropped.
struct Seat {
    handle: Handle,
    client: ClientId,
    gone: Arc<AtomicBool>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.gone.store(true, Ordering::Relaxed);
        self.handle.leave(self.client);
    }
}

async fn serve(stream: UnixStream, handle: Handle) {
    let name = match stream.peer_cred().ok().and_then(|who| who.pid()) {
        Some(process) => format!("program {process}"),
        None => "program".to_owned(),
    };
    let (lines, mut queue) = mpsc::channel(QUEUE);
    let gone = Arc::<AtomicBool>::default();
    let outlet = Queue {
        lines,
        gone: gone.clone(),
    };
    let Ok(client) = handle.join(&name, Origin::Socket, None, Box::new(outlet)) else {
        return debug!("a program came when there was too much to do");
    };
    let seat = Seat { handle, client, gone };
    let (read, mut write) = stream.into_split();
    let writing = async {
        while let Some(mut line) = queue.recv().await {
            line.push('\n');
            match tokio::time::timeout(PATIENCE, write.write_all(line.as_bytes())).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return,
            }
        }
    };
    tokio::select! {
        () = writing => {}
        () = hear(read, &seat) => {}
    }
}

/// Hears lines until there are no more. One that is too long to be a message ends the connection: what comes after it
/// can't be told from it.
async fn hear(read: OwnedReadHalf, seat: &Seat) {
    let mut reader = BufReader::new(read);
    let mut line = Vec::new();
    let mut bucket = Bucket::new(Instant::now());
    loop {
        let (used, ended) = match reader.fill_buf().await {
            Err(_) => return,
            Ok([]) => return,
            Ok(bytes) => match bytes.iter().position(|byte| *byte == b'\n') {
                Some(end) => {
                    line.extend_from_slice(&bytes[..end]);
                    (end + 1, true)
                }
                None => {
                    line.extend_from_slice(bytes);
                    (bytes.len(), false)
                }
            },
        };
        reader.consume(used);
        if line.len() > LONGEST {
            // It is refused with these words, and that is all.
            let _ = seat
                .handle
                .hear(seat.client, String::from_utf8_lossy(&line).into_owned());
            tokio::time::sleep(AGAIN).await;
            return;
        }
        if ended {
            let text = String::from_utf8_lossy(&line).into_owned();
            line.clear();
            let now = Instant::now();
            if text.trim().is_empty() {
                continue;
            }
            if bucket.take(now) {
                // It has to wait, and so do all of its own.
                while let Err(Full) = seat.handle.hear(seat.client, text.clone()) {
                    tokio::time::sleep(AGAIN).await;
                }
            } else {
                seat.handle.flood(seat.client, bucket.may_tell(now));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::{Account, inbox::Mail};

    struct Place(PathBuf);

    impl Place {
        fn new(name: &str) -> Self {
            let directory =
                std::env::temp_dir().join(format!("pinhole-bridge-{}-{name}", std::process::id()));
            std::fs::create_dir_all(&directory).expect("the temporary directory can be written");
            Self(directory)
        }

        fn socket(&self) -> PathBuf {
            self.0.join("control.sock")
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[tokio::test]
    async fn a_dead_socket_is_replaced_and_a_living_one_is_not() {
        let place = Place::new("dead");
        let path = place.socket();
        let first = Bridge::bind(&path).expect("there is none");
        let mode = std::fs::metadata(&path)
            .expect("it is there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, MODE);
        let error = Bridge::bind(&path).expect_err("somebody listens").to_string();
        assert!(error.contains("in use"), "{error}");
        // As after a kill: the file stays.
        let Bridge { listener, file } = first;
        drop(listener);
        std::mem::forget(file);
        let second = Bridge::bind(&path).expect("nobody listens");
        drop(second);
        assert!(!path.exists());
        std::fs::write(&path, "a letter").expect("written");
        let error = Bridge::bind(&path).expect_err("it is a letter").to_string();
        assert!(error.contains("no socket"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).expect("untouched"), "a letter");
        let nowhere = Bridge::bind(Path::new("/nonexistent/x.sock")).expect_err("no directory");
        assert!(nowhere.to_string().contains("has to exist"), "{nowhere}");
    }
    #[tokio::test]
    async fn a_program_that_floods_is_heard_no_faster_than_a_viewer() {
        const SENT: usize = 1000;
        let account = Arc::<Account>::default();
        let handle = Handle::new(Arc::clone(&account));
        let (ours, mut theirs) = UnixStream::pair().expect("two ends");
        let start = Instant::now();
        let mut serving = JoinSet::new();
        serving.spawn(serve(ours, handle.clone()));
        let flood = "{\"type\":\"beat\"}\n".repeat(SENT);
        theirs.write_all(flood.as_bytes()).await.expect("written");
        theirs.shutdown().await.expect("no more");
        serving.join_next().await.expect("it ends").expect("no panic");
        let mail = handle.wait(Instant::now()).mail;
        let heard = mail
            .iter()
            .filter(|mail| matches!(mail, Mail::Hear { .. }))
            .count();
        let told = mail
            .iter()
            .filter(|mail| matches!(mail, Mail::Flood { .. }))
            .count();
        let refilled = usize::try_from(start.elapsed().as_millis() / 20).expect("not that long");
        assert!((100..=100 + refilled).contains(&heard), "{heard}");
        assert!(told >= 1, "{told}");
        assert_eq!(account.flooded.get(), (SENT - heard) as u64);
    }
}
