//! Files that import each other in a circle are one file in pieces: none can be understood, tested or moved without the others.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use pinhole_e2e::programs::repository;

use super::layers::{imports, module_of, sources};

/// Folders that are free of them.
const FOLDERS: &[&str] = &["http/src", "node/src/peer", "server/src/http"];

/// The circles among the files of a folder of sources and those below it, each as "a -> b -> a".
///
/// What a `mod.rs` hands on from a file counts as that file's, and what only tests import does not count.
fn within(folder: &Path) -> Vec<String> {
    let root = folder
        .ancestors()
        .find(|ancestor| ancestor.ends_with("src"))
        .unwrap_or_else(|| panic!("{} is not below src", folder.display()));
    let files = sources(folder).into_iter();
    let files = files.filter(|(path, _)| !path.ends_with("tests.rs"));
    let modules = files.map(|(path, source)| {
        let below = path.strip_prefix(root).expect("found below").to_owned();
        (module_of(&below), File::new(below, &source))
    });
    circles(&Modules(modules.collect()))
}

/// The files by their module paths.
struct Modules(BTreeMap<Vec<String>, File>);

struct File {
    path: PathBuf,
    imports: Vec<Vec<String>>,
}

impl File {
    fn new(path: PathBuf, source: &str) -> Self {
        // Tests stand at the end of a file.
        let code = source.split("\n#[cfg(test)]\nmod tests {").next();
        Self {
            path,
            imports: imports(code.unwrap_or_default()),
        }
    }
}

impl Modules {
    /// The files that a file knows, itself left out.
    fn known_to(&self, module: &[String]) -> BTreeSet<&[String]> {
        let imports = self.0[module].imports.iter();
        let known = imports.filter_map(|import| self.home_of(module, import, 0));
        known.filter(|known| *known != module).collect()
    }

    /// The file in which that is which `module` writes as `import`.
    fn home_of(&self, module: &[String], import: &[String], depth: usize) -> Option<&[String]> {
        let absolute = self.absolute(module, import)?;
        let known = (0..=absolute.len()).rev();
        let (length, (home, file)) = known
            .filter_map(|length| Some((length, self.0.get_key_value(&absolute[..length])?)))
            .next()?;
        // Handed on, by the file where one would look for it?
        let handed_on = absolute.get(length).and_then(|name| {
            let mut theirs = file.imports.iter();
            theirs.find(|import| import.last() == Some(name) && import.len() > 1)
        });
        match handed_on {
            // A chain that is longer has no end.
            Some(import) if depth < 8 => self.home_of(home, import, depth + 1),
            _ => Some(home),
        }
    }

    /// A path from the crate's root; nothing where it leads to another crate, or is of a name that was imported.
    fn absolute(&self, module: &[String], import: &[String]) -> Option<Vec<String>> {
        let ups = import.iter().take_while(|part| *part == "super").count();
        let (base, rest) = match import.first()?.as_str() {
            "crate" => (&[][..], &import[1..]),
            "self" => (module, &import[1..]),
            "super" => (module.get(..module.len().checked_sub(ups)?)?, &import[ups..]),
            child => {
                let child = [module, &[child.to_owned()]].concat();
                self.0.contains_key(&child).then_some((module, import))?
            }
        };
        Some([base, rest].concat())
    }
}

fn circles(modules: &Modules) -> Vec<String> {
    let (mut found, mut done) = (Vec::new(), BTreeSet::new());
    for module in modules.0.keys() {
        follow(modules, module, &mut Vec::new(), &mut done, &mut found);
    }
    found
}

/// Goes on from a file to those that it knows; `way` is how it was come to.
fn follow<'a>(
    modules: &'a Modules,
    module: &'a [String],
    way: &mut Vec<&'a [String]>,
    done: &mut BTreeSet<&'a [String]>,
    found: &mut Vec<String>,
) {
    if let Some(start) = way.iter().position(|before| *before == module) {
        let circle = way[start..].iter().copied().chain([module]);
        let names = circle.map(|module| modules.0[module].path.display().to_string());
        found.push(names.collect::<Vec<_>>().join(" -> "));
        return;
    }
    if done.contains(module) {
        return;
    }
    way.push(module);
    for known in modules.known_to(module) {
        follow(modules, known, way, done, found);
    }
    way.pop();
    done.insert(module);
}

mod quick {
    use super::*;

    #[test]
    fn files_of_a_folder_do_not_import_each_other_in_circles() {
        for folder in FOLDERS {
            let circles = within(&repository().join(folder));
            assert!(circles.is_empty(), "{folder}: {}", circles.join("; "));
        }
    }

    #[test]
    fn a_circle_is_found_and_what_is_handed_on_makes_none() {
        let modules = |files: &[(&str, &str)]| {
            let files = files.iter().map(|(path, source)| {
                let path = PathBuf::from(path);
                (module_of(&path), File::new(path, source))
            });
            Modules(files.collect())
        };
        let handed_on = [
            (
                "room/mod.rs",
                "mod a; mod b; pub use a::Thing; use b::Other as Mine;",
            ),
            ("room/a.rs", "pub struct Thing;"),
            (
                "room/b.rs",
                "use super::Thing; use crate::elsewhere::X; use std::a;",
            ),
        ];
        assert_eq!(circles(&modules(&handed_on)), [""; 0]);
        for (source, circle) in [
            ("use super::b::Other;", "room/a.rs -> room/b.rs -> room/a.rs"),
            ("fn f() { super::b::g(); }", "room/a.rs -> room/b.rs -> room/a.rs"),
            (
                "use crate::room::{b::{self}};",
                "room/a.rs -> room/b.rs -> room/a.rs",
            ),
            ("use super::Own;", "room/mod.rs -> room/a.rs -> room/mod.rs"),
        ] {
            let mut files = handed_on;
            files[1].1 = source;
            let found = circles(&modules(&files));
            assert!(found.contains(&circle.to_owned()), "{source}: {found:?}");
        }
        let mut files = handed_on;
        files[1].1 = "struct Thing;\n#[cfg(test)]\nmod tests {\nuse super::super::b::Other;\n}";
        assert_eq!(circles(&modules(&files)), [""; 0], "only tests know it");
    }
}
