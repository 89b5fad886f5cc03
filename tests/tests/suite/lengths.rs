//! A file of the room that everything else comes to sit on is one thought, and short enough to be read as one.

use pinhole_e2e::programs::repository;

use super::layers::sources;

/// Folders whose files have fewer lines than this.
const FOLDERS: &[(&str, usize)] = &[("node/src/peer", 300)];

mod quick {
    use super::*;

    #[test]
    fn files_of_a_folder_are_short() {
        for (folder, most) in FOLDERS {
            let files = sources(&repository().join(folder));
            assert!(files.len() > 50, "{folder}");
            let long: Vec<_> = files
                .iter()
                .map(|(path, source)| (path.display(), source.lines().count()))
                .filter(|(_, lines)| lines >= most)
                .map(|(path, lines)| format!("{path} has {lines}"))
                .collect();
            assert!(long.is_empty(), "not under {most} lines: {}", long.join(", "));
        }
    }
}
