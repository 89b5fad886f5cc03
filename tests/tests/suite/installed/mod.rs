//! The packages on a Debian machine with systemd: installed as a person installs them, run by systemd, reloaded, frozen,
//! upgraded and removed, with a viewer on another machine that watches.
//!
//! One machine serves all checks, in the order in which a machine would live through them. The same on arm64, as far as
//! its processor matters, is in `installed_arm64.rs`.

mod faults;
mod hardening;
mod lifecycle;
mod pins;
mod reload;

use pinhole_e2e::installed::Board;
use pinhole_e2e::machine::System;

/// The configuration that the checks begin with.
const PORCH: &str = r#"name = "porch"

[signaling]
server = "http://127.0.0.1:8888"

[[camera]]
device = "/dev/video0"
size = "640x360"
fps = 15

[video]
bitrate = "2M"
"#;

mod everything {
    use super::*;

    #[test]
    fn a_machine_lives_with_the_packages() {
        let Some(packages) = System::Bookworm.packages_or_skip("a_machine_lives_with_the_packages") else {
            return;
        };
        let board = Board::boot(System::Bookworm, packages);
        board.install(PORCH);
        board.report_footprint(PORCH);
        lifecycle::journal_has_fields(&board);
        hardening::exposure_is_low(&board);
        hardening::units_are_sound(&board);
        reload::each_change_keeps_the_viewer(&board);
        reload::a_broken_file_changes_nothing(&board);
        faults::a_frozen_camera_thread_is_restarted(&board);
        faults::an_absent_camera_is_not(&board);
        pins::outputs_are_safe_after_a_kill(&board);
        faults::a_token_from_the_credential_store(&board);
        lifecycle::upgrade(&board);
        lifecycle::stop(&board);
        board.remove_and_purge();
    }

    #[test]
    fn the_same_packages_serve_debian_13() {
        let Some(packages) = System::Trixie.packages_or_skip("the_same_packages_serve_debian_13") else {
            return;
        };
        let board = Board::boot(System::Trixie, packages);
        board.install(PORCH);
        board.watch("porch").stop();
        board.remove_and_purge();
    }
}
