//! The packages for arm64 on a whole emulated board with Debian's own kernel: they install, the node becomes ready, a
//! viewer on the host decodes its picture, and nothing is left of them. What has nothing to do with the processor is
//! checked on amd64, which is ten times as fast (`installed/`).

use pinhole_e2e::installed::Board;
use pinhole_e2e::machine::System;

/// A picture that an emulated processor can encode.
const PORCH: &str = r#"name = "porch"

[signaling]
server = "http://127.0.0.1:8888"

[[camera]]
device = "/dev/video0"
size = "320x180"
fps = 10
"#;

mod everything {
    use super::*;

    #[test]
    fn an_arm64_board_lives_with_the_packages() {
        let system = System::BookwormArm64;
        let Some(packages) = system.packages_or_skip("an_arm64_board_lives_with_the_packages") else {
            return;
        };
        let board = Board::boot(system, packages);
        board.install(PORCH);
        assert_eq!(board.machine.must("uname -m"), "aarch64");
        board.report_footprint(PORCH);
        let viewer = board.watch("porch");
        viewer.goes_on();
        let summary = viewer.stop();
        board.machine.report(&format!("the viewer: {summary}"));
        assert_eq!(
            (&summary["width"], &summary["codec"]),
            (&320.into(), &"h264".into()),
            "{summary}"
        );
        assert!(summary["changed_frames"].as_u64() >= Some(20), "{summary}");
        board.remove_and_purge();
    }
}
