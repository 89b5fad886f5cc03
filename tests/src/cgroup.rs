//! A part of the machine for a program, which the kernel keeps it to: so much of a processor's time, or so much memory.
//!
//! Both interfaces of the kernel are spoken: version 2, and version 1 with a hierarchy for each controller.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::eventually::eventually;

const ROOT: &str = "/sys/fs/cgroup";
/// In which a share of the time is counted, in microseconds: what is used up comes again soon.
const PERIOD: u64 = 20_000;

/// A control group with one bound. It is removed when this is dropped, which has to be after what runs in it.
pub struct Cgroup {
    folder: PathBuf,
}

impl Cgroup {
    /// One that has this share of one processor's time.
    ///
    /// # Errors
    /// This machine gives us no control groups: they can't be written here, or there is no such controller.
    pub fn of_time(share: f64) -> io::Result<Self> {
        let quota = (PERIOD as f64 * share) as u64;
        let period = PERIOD.to_string();
        Self::new(
            "cpu",
            &[("cpu.max", &format!("{quota} {PERIOD}"))],
            &[
                ("cpu.cfs_period_us", &period),
                ("cpu.cfs_quota_us", &quota.to_string()),
            ],
        )
    }

    /// One that has so much memory, and is killed with more.
    ///
    /// # Errors
    /// As of [`Cgroup::of_time`].
    pub fn of_memory(bytes: u64) -> io::Result<Self> {
        let bytes = bytes.to_string();
        let group = Self::new(
            "memory",
            &[("memory.max", &bytes)],
            &[("memory.limit_in_bytes", &bytes)],
        )?;
        // Where there is swap, it is no way out.
        for (file, value) in [("memory.swap.max", "0"), ("memory.memsw.limit_in_bytes", &bytes)] {
            let file = group.folder.join(file);
            if file.exists() {
                fs::write(file, value)?;
            }
        }
        Ok(group)
    }

    fn new(controller: &str, second: &[(&str, &str)], first: &[(&str, &str)]) -> io::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let root = Path::new(ROOT);
        let is_second = root.join("cgroup.controllers").exists();
        let root = if is_second {
            fs::write(root.join("cgroup.subtree_control"), format!("+{controller}"))?;
            root.to_owned()
        } else {
            root.join(controller)
        };
        remove_orphans(&root);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = root.join(format!("pinhole-{}-{number}", std::process::id()));
        // A folder that is not in a hierarchy would be one that bounds nothing.
        if !root.join("cgroup.procs").exists() {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                format!("there is no controller `{controller}` in {ROOT}"),
            ));
        }
        fs::create_dir(&folder)?;
        let group = Self { folder };
        for (file, value) in if is_second { second } else { first } {
            fs::write(group.folder.join(file), value)?;
        }
        Ok(group)
    }

    /// The same command, from its start inside.
    pub fn hold(&self, command: &Command) -> Command {
        let mut inside = Command::new("sh");
        let enter = format!(
            "echo 0 >'{}/cgroup.procs' && exec \"$0\" \"$@\"",
            self.folder.display()
        );
        inside
            .args(["-c", &enter])
            .arg(command.get_program())
            .args(command.get_args());
        for (key, value) in command.get_envs() {
            match value {
                Some(value) => inside.env(key, value),
                None => inside.env_remove(key),
            };
        }
        inside
    }

    /// The most memory that was in use at a time, in bytes, the kernel's for it included; `None` where the kernel doesn't tell.
    pub fn most_memory(&self) -> Option<u64> {
        let read = |file| fs::read_to_string(self.folder.join(file)).ok();
        let most = read("memory.peak").or_else(|| read("memory.max_usage_in_bytes"))?;
        most.trim().parse().ok()
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // What was killed a moment ago may still be in it.
        eventually(Duration::from_secs(1), || fs::remove_dir(&self.folder).ok());
    }
}

/// Removes what test runs left that were killed.
fn remove_orphans(root: &Path) {
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner = name
            .strip_prefix("pinhole-")
            .and_then(|rest| rest.split('-').next());
        if owner.is_some_and(|owner| !Path::new("/proc").join(owner).exists()) {
            // Another run may remove it at the same time.
            let _ = fs::remove_dir(entry.path());
        }
    }
}
