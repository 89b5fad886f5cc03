//! Files that import each other in a circle are one file in pieces: none can be understood, tested or moved without the others.
//!
//! What counts are paths. Methods of one type that stand in several files call each other without naming any.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use pinhole_e2e::programs::repository;

use super::imports::{Source, Words};
use super::layers::{module_of, sources, without_tests};

/// Folders that are free of them.
const FOLDERS: &[&str] = &["http/src", "node/src/peer", "server/src/http"];

/// The circles among the files of a folder of sources and those below it, each as "a -> b -> a".
///
/// What a file hands on from another counts as that other's, and what only tests import does not count.
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
struct Modules(BTreeMap<Words, File>);

struct File {
    path: PathBuf,
    source: Source,
}

impl File {
    fn new(path: PathBuf, source: &str) -> Self {
        let source = Source::read(without_tests(source));
        Self { path, source }
    }

    /// Whether a name is to be found there, its own or handed on.
    fn knows(&self, name: &str) -> bool {
        self.source.defined.contains(name) || self.source.bound.contains_key(name)
    }
}

impl Modules {
    /// The files that a file knows, itself left out.
    fn known_to(&self, module: &[String]) -> BTreeSet<&[String]> {
        let paths = self.0[module].source.paths.iter();
        let known = paths.filter_map(|path| self.home_of(module, path, 0));
        known.filter(|known| *known != module).collect()
    }

    /// The file in which that is which `module` writes as `path`.
    fn home_of(&self, module: &[String], path: &[String], depth: usize) -> Option<&[String]> {
        let absolute = self.absolute(module, path)?;
        let known = (0..=absolute.len()).rev();
        let (length, (home, file)) = known
            .filter_map(|length| Some((length, self.0.get_key_value(&absolute[..length])?)))
            .next()?;
        // A chain that is longer has no end.
        let name = absolute.get(length).filter(|_| depth < 8);
        let Some(name) = name.filter(|name| !file.source.defined.contains(*name)) else {
            return Some(home);
        };
        // Handed on, by the file where one would look for it?
        if let Some(origin) = file.source.bound.get(name) {
            return self.home_of(home, &[origin, &absolute[length + 1..]].concat(), depth + 1);
        }
        let globs = file.source.globs.iter();
        let mut origins = globs.filter_map(|glob| self.home_of(home, glob, depth + 1));
        match origins.find(|origin| self.0[*origin].knows(name)) {
            Some(origin) => self.home_of(
                origin,
                &[&["self".to_owned()], &absolute[length..]].concat(),
                depth + 1,
            ),
            None => Some(home),
        }
    }

    /// A path from the crate's root; nothing where it leads to another crate, or is of a name that was imported.
    fn absolute(&self, module: &[String], path: &[String]) -> Option<Words> {
        let ups = path.iter().take_while(|part| *part == "super").count();
        let (base, rest) = match path.first()?.as_str() {
            "crate" => (&[][..], &path[1..]),
            "self" => (module, &path[1..]),
            "super" => (module.get(..module.len().checked_sub(ups)?)?, &path[ups..]),
            child => {
                let child = [module, &[child.to_owned()]].concat();
                self.0.contains_key(&child).then_some((module, path))?
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

    /// The circles among such files.
    fn among(files: &[(&str, &str)]) -> Vec<String> {
        let files = files.iter().map(|(path, source)| {
            let path = PathBuf::from(path);
            (module_of(&path), File::new(path, source))
        });
        circles(&Modules(files.collect()))
    }

    const ROOM: [(&str, &str); 3] = [
        (
            "room/mod.rs",
            "mod a; mod b; pub use a::Thing; use b::Other as Mine; fn own() {}",
        ),
        ("room/a.rs", "pub struct Thing;"),
        (
            "room/b.rs",
            "use super::Thing; use crate::elsewhere::X; use std::a;",
        ),
    ];

    /// The same with another `a.rs`.
    fn with_a(source: &str) -> Vec<String> {
        let mut files = ROOM;
        files[1].1 = source;
        among(&files)
    }

    #[test]
    fn files_of_a_folder_do_not_import_each_other_in_circles() {
        for folder in FOLDERS {
            let circles = within(&repository().join(folder));
            assert!(circles.is_empty(), "{folder}: {}", circles.join("; "));
        }
    }

    #[test]
    fn a_circle_is_found_in_every_spelling() {
        for source in [
            "use super::b::Other;",
            "use super::Mine;",
            "use self::super::b;",
            "use crate::room::{b::{self}};",
            "fn f() { super::b::g(); }",
            "fn f() { g(\"http://x\", super::b::g()); }",
            "fn f() { g(\"no use\"); super::b::g(); }",
            "mod inner { use super::super::b; }",
            "mod inner { fn f() { self::super::super::b::g() } }",
        ] {
            let found = with_a(&format!("pub struct Thing; {source}"));
            let circle = "room/a.rs -> room/b.rs -> room/a.rs".to_owned();
            assert!(found.contains(&circle), "{source}: {found:?}");
        }
        for source in [
            "use super::own;",
            "use super::*;",
            "mod inner { use super::super::own; }",
        ] {
            let found = with_a(&format!("pub struct Thing; {source}"));
            let circle = "room/mod.rs -> room/a.rs -> room/mod.rs".to_owned();
            assert!(found.contains(&circle), "{source}: {found:?}");
        }
    }

    #[test]
    fn what_is_handed_on_makes_no_circle_and_what_only_tests_know_neither() {
        assert_eq!(among(&ROOM), [""; 0]);
        for source in [
            "pub struct Thing;\n#[cfg(test)]\nmod tests {\nuse super::super::b::Other;\n}",
            "pub struct Thing; mod inner { use super::Thing; }",
            "pub struct Thing; // super::b::Other",
        ] {
            assert_eq!(with_a(source), [""; 0], "{source}");
        }
    }

    #[test]
    fn a_file_hands_on_what_it_imports_and_nothing_else() {
        let back = "mod a; mod b; use a::Thing; pub fn own() {}";
        for (a, is_circle) in [
            ("pub struct Thing; use super::own;", true),
            // These only have the same last word.
            (
                "pub struct Thing; use super::own; impl other::Thing for Thing {}",
                true,
            ),
            ("pub struct Thing; use super::own; fn f() { Kind::Thing; }", true),
            (
                "pub struct Thing; use super::own; fn f() { use other::Thing; }",
                true,
            ),
            (
                "pub struct Thing; use super::own; use other::Thing as Others;",
                true,
            ),
            ("pub use other::Thing; use super::own;", false),
            ("pub use super::b::Thing; use super::own;", false),
            ("pub use super::b::*; use super::own;", false),
            ("pub use super::b::{Other as Thing}; use super::own;", false),
        ] {
            let found = among(&[
                ("room/mod.rs", back),
                ("room/a.rs", a),
                ("room/b.rs", "pub struct Thing; pub struct Other;"),
            ]);
            assert_eq!(!found.is_empty(), is_circle, "{a}: {found:?}");
        }
    }

    #[test]
    fn what_is_handed_on_of_a_module_is_followed_to_its_file() {
        let found = among(&[
            ("room/mod.rs", "mod a; mod b; pub use b::inner;"),
            ("room/a.rs", "use super::inner::Thing;"),
            ("room/b/mod.rs", "pub mod inner;"),
            ("room/b/inner.rs", "use crate::room::a; pub struct Thing;"),
        ]);
        assert!(!found.is_empty());
    }
}
