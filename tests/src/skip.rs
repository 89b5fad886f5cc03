//! What this machine cannot run, said so that nobody takes it for a pass.

use std::fs::OpenOptions;
use std::io::Write;

use crate::log::loudly;

/// What a test cannot do without.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// A network namespace.
    Network,
    /// A network namespace with the virtual-hardware guest in it.
    Guest,
}

/// Why this machine cannot give it; `None` when it can.
pub fn reason(need: Need) -> Option<&'static str> {
    if !rustix::process::geteuid().is_root() {
        return Some("network namespaces need root (dev/test uses sudo)");
    }
    if need == Need::Guest && !cfg!(target_arch = "x86_64") {
        return Some("the virtual cameras (User-Mode Linux) run on x86-64 only");
    }
    None
}

/// Whether the test that asks cannot run here. Says so on the terminal, and in the file that dev/test shows at its end.
pub fn skipped(need: Need) -> bool {
    let Some(reason) = reason(need) else { return false };
    skipped_because(&this_test(), reason);
    true
}

/// The path of the test that asks: what the test harness calls its thread.
pub fn this_test() -> String {
    std::thread::current().name().unwrap_or("a test").to_owned()
}

/// Says on the terminal, and in the file that dev/test shows at its end, that `test` cannot run here.
pub fn skipped_because(test: &str, reason: &str) {
    let line = format!("{test}: {reason}");
    loudly(&format!("SKIPPED {line}"));
    if let Some(path) = std::env::var_os("PINHOLE_SKIPPED") {
        let file = OpenOptions::new().append(true).open(path);
        let written = file.and_then(|mut file| writeln!(file, "{line}"));
        written.expect("the file named by PINHOLE_SKIPPED can be written");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_knows_its_name() {
        assert_eq!(this_test(), "skip::tests::a_test_knows_its_name");
    }
}
