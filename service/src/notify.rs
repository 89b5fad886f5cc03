//! What the service manager is told (`sd_notify(3)`). Without one, every call does nothing.

use libsystemd::daemon::{self, NotifyState};
use rustix::time::{ClockId, clock_gettime};
use tracing::debug;

/// The longest status line: `systemctl status` shows it in one line of a terminal or of a phone.
const LONGEST_STATUS: usize = 200;

/// The service is up: units that are ordered after it start now. Also ends a reload.
pub fn ready() {
    send(&[NotifyState::Ready]);
}

/// The configuration is being read again; [`ready`] tells when that is over, whatever came of it.
pub fn reloading() {
    let now = clock_gettime(ClockId::Monotonic);
    let microseconds = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1000;
    // Type=notify-reload wants to know when (systemd.service(5)); Type=notify passes over it.
    send(&[
        NotifyState::Reloading,
        NotifyState::Other(format!("MONOTONIC_USEC={microseconds}")),
    ]);
}

/// The service ends.
pub fn stopping() {
    send(&[NotifyState::Stopping]);
}

/// What it does at the moment, in words, for `systemctl status`.
pub fn status(line: &str) {
    send(&[NotifyState::Status(one_line(line))]);
}

/// All parts move.
pub(crate) fn alive() {
    send(&[NotifyState::Watchdog]);
}

fn send(state: &[NotifyState]) {
    if let Err(error) = daemon::notify(false, state) {
        debug!("the service manager can't be told: {error}");
    }
}

/// Names in a status come from outside: a line break in one would begin another assignment.
fn one_line(text: &str) -> String {
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(printable).take(LONGEST_STATUS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_can_not_smuggle_in_another_assignment() {
        assert_eq!(
            one_line("signed in as x\nSTOPPING=1"),
            "signed in as x STOPPING=1"
        );
        assert_eq!(one_line(&"ä".repeat(1000)).chars().count(), LONGEST_STATUS);
    }
}
