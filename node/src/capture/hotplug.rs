#![allow(unsafe_code, reason = "the runtime takes a descriptor on its owner's word")]

use std::{io, mem::MaybeUninit, os::fd::OwnedFd};

use rustix::{
    fs::inotify::{self, CreateFlags, Reader, WatchFlags},
    io::Errno,
};
use tokio::io::unix::AsyncFd;

/// Room for the events of a hub with several cameras that is plugged in.
const EVENTS: usize = 4096;

/// Tells when a camera or a sound card may have come: the kernel made a device node (`/dev/video…`, `/dev/snd/pcm…`), or its
/// owner has been set, which a program that is not root has to wait for.
pub struct Hotplug {
    events: AsyncFd<OwnedFd>,
}

impl Hotplug {
    /// Begins to watch. Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// The system has no watch to give (`fs.inotify.max_user_instances`).
    pub fn watch() -> io::Result<Self> {
        let events = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let what = WatchFlags::CREATE | WatchFlags::MOVED_TO | WatchFlags::ATTRIB;
        inotify::add_watch(&events, "/dev", what)?;
        watch_sound(&events);
        // SAFETY: an `OwnedFd` owns its descriptor, gives out the same one always, and closes it when it is dropped.
        let events = unsafe { AsyncFd::register(events)? };
        Ok(Self { events })
    }

    /// Waits for the next such event. Cancel safe.
    ///
    /// # Errors
    /// There will be no more events.
    pub async fn plugged(&mut self) -> io::Result<()> {
        loop {
            let mut ready = self.events.readable().await?;
            let mut buffer = [const { MaybeUninit::uninit() }; EVENTS];
            let mut reader = Reader::new(ready.get_inner(), &mut buffer);
            let (mut is_device, mut is_sound) = (false, false);
            let end = loop {
                match reader.next() {
                    Ok(event) => {
                        let name = event.file_name().map(|name| name.to_bytes());
                        let starts = |with: &[u8]| name.is_some_and(|name| name.starts_with(with));
                        is_device |= starts(b"video") || starts(b"pcm") || name == Some(b"snd");
                        is_sound |= name == Some(b"snd");
                    }
                    Err(error) => break error,
                }
            };
            if is_sound {
                watch_sound(ready.get_inner());
            }
            match end {
                Errno::AGAIN => ready.clear_ready(),
                Errno::INTR => {}
                error => return Err(error.into()),
            }
            if is_device {
                return Ok(());
            }
        }
    }
}

/// Watches the directory of sound devices, which is there while there is a card. Adding it again changes nothing.
fn watch_sound(events: &OwnedFd) {
    let what = WatchFlags::CREATE | WatchFlags::MOVED_TO | WatchFlags::ATTRIB;
    // Where there is no card the directory is missing, and its making is an event.
    let _ = inotify::add_watch(events, "/dev/snd", what);
}
