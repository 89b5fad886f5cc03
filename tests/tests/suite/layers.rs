//! The direction of imports (ARCHITECTURE.md), read from the sources: who may know whom.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use pinhole_e2e::programs::repository;

/// A room of the node, and the rooms that it must not know.
const ROOMS: &[(&str, &[&str])] = &[
    (
        "figures",
        &[
            "control", "media", "capture", "encode", "fanout", "pipeline", "peer", "presence", "config",
            "status", "system", "app", "voice",
        ],
    ),
    (
        "media",
        &[
            "control", "capture", "encode", "fanout", "pipeline", "peer", "presence", "config", "status",
            "app", "voice",
        ],
    ),
    (
        "capture",
        &[
            "control", "encode", "fanout", "pipeline", "peer", "presence", "config", "status", "app", "voice",
        ],
    ),
    (
        "encode",
        &[
            "control", "capture", "fanout", "pipeline", "peer", "presence", "config", "status", "app",
            "voice",
        ],
    ),
    (
        "fanout",
        &[
            "control", "capture", "encode", "pipeline", "peer", "presence", "config", "status", "app",
            "voice",
        ],
    ),
    (
        "pipeline",
        &["control", "peer", "presence", "config", "status", "app", "voice"],
    ),
    (
        "peer",
        &[
            "capture", "control", "encode", "pipeline", "presence", "status", "app",
        ],
    ),
    (
        "presence",
        &[
            "control", "capture", "encode", "fanout", "pipeline", "status", "app", "voice",
        ],
    ),
    (
        "config",
        &[
            "control", "capture", "encode", "fanout", "pipeline", "peer", "presence", "status", "app",
            "voice",
        ],
    ),
    (
        "voice",
        &[
            "control", "fanout", "pipeline", "peer", "presence", "config", "status", "app",
        ],
    ),
    ("status", &["capture", "encode", "config", "app"]),
    (
        "control",
        &[
            "capture", "encode", "fanout", "pipeline", "peer", "presence", "status", "app",
        ],
    ),
];

/// A crate of others, and the only places that may know it.
const CRATES: &[(&str, &[&str])] = &[
    ("rtc", &["node/src/peer", "viewer/src"]),
    ("webrtc", &["viewer/src"]),
    ("v4l", &["node/src/capture/v4l2", "node/src/encode/m2m"]),
    ("alsa", &["node/src/capture/alsa", "node/src/voice"]),
    ("opus", &["node/src/encode/opus", "node/src/voice"]),
    ("rubato", &["node/src/pipeline/sound", "node/src/voice"]),
    ("openh264", &["node/src/encode", "viewer/src"]),
    ("openh264_sys2", &["node/src/encode"]),
    ("vpx_sys", &["node/src/encode", "viewer/src/receive"]),
    ("turbojpeg", &["node/src/encode"]),
    ("rppal", &["node/src/control/gpio"]),
    ("gpiocdev", &["node/src/control/gpio"]),
    ("base64", &["node/src/control", "signaling/src"]),
    ("libsystemd", &["service/src"]),
    ("hyper", &["http/src"]),
    ("hyper_util", &["http/src"]),
    ("http_body_util", &["http/src"]),
    (
        "pinhole_http",
        &[
            "server/src/http",
            "server/src/config",
            "node/src/status",
            "node/src/config",
        ],
    ),
    ("prometheus_client", &["node/src/status"]),
    (
        "pinhole_signaling",
        &[
            "node/src/presence",
            "node/src/config",
            "http/src",
            "server/src",
            "viewer/src",
        ],
    ),
];

/// What thinks without IO and without a clock: it is told the time.
const PURE: &[&str] = &[
    "node/src/peer/sdp",
    "node/src/peer/session",
    "node/src/presence/meeting",
];

/// What it must not mention, as parts of paths.
const IMPURE: &[&[&str]] = &[
    &["tokio"],
    &["socket2"],
    &["quinn_udp"],
    &["std", "fs"],
    &["std", "thread"],
    &["Instant", "now"],
    &["SystemTime"],
    &["Timestamp", "now"],
];

mod quick {
    use super::*;

    #[test]
    fn rooms_know_only_the_rooms_below_them() {
        let mut faults = Vec::new();
        let node = repository().join("node/src");
        for (path, source) in sources(&node) {
            let module = module_of(path.strip_prefix(&node).expect("found below"));
            let Some((_, forbidden)) = ROOMS
                .iter()
                .find(|(room, _)| module.first().is_some_and(|first| first == room))
            else {
                continue;
            };
            for import in imports(&source) {
                if let Some(room) =
                    room_of(&import, &module).filter(|room| forbidden.contains(&room.as_str()))
                {
                    faults.push(format!("{} knows {room}: {}", path.display(), import.join("::")));
                }
            }
        }
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    }

    #[test]
    fn each_foreign_crate_is_known_in_its_own_room_only() {
        let mut faults = Vec::new();
        for member in ["signaling", "service", "http", "node", "server", "viewer"] {
            for (path, source) in sources(&repository().join(member).join("src")) {
                let place = path
                    .strip_prefix(repository())
                    .expect("found below")
                    .to_string_lossy()
                    .into_owned();
                for import in imports(&source) {
                    let Some((name, places)) = CRATES.iter().find(|(name, _)| import[0] == *name) else {
                        continue;
                    };
                    if !places.iter().any(|allowed| is_within(&place, allowed)) {
                        faults.push(format!("{place} knows {name}: {}", import.join("::")));
                    }
                }
            }
        }
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    }

    #[test]
    fn what_thinks_without_io_knows_neither_io_nor_a_clock() {
        let (mut faults, mut seen) = (Vec::new(), BTreeSet::new());
        for (path, source) in sources(&repository().join("node/src")) {
            let place = path.strip_prefix(repository()).expect("found below");
            let place = place.to_string_lossy();
            let pure = PURE.iter().find(|pure| is_within(&place, pure));
            let Some(pure) = pure.filter(|_| !place.contains("tests")) else {
                continue;
            };
            seen.insert(pure);
            // Tests stand at the end of a file.
            let code = source.split("\n#[cfg(test)]\nmod tests {").next();
            for import in imports(code.unwrap_or_default()) {
                let mentions = |name: &[&str]| import.windows(name.len()).any(|part| part == name);
                if IMPURE.iter().any(|name| mentions(name)) {
                    faults.push(format!("{place} knows {}", import.join("::")));
                }
            }
        }
        assert!(faults.is_empty(), "{}", faults.join("\n"));
        assert_eq!(seen.len(), PURE.len(), "some have moved away");
    }

    #[test]
    fn a_forbidden_import_is_found_in_every_spelling() {
        let module = ["capture".to_owned(), "v4l2".to_owned(), "open".to_owned()];
        for source in [
            "use crate::encode::Encoder;",
            "pub(crate) use crate::{media::Frame, encode::{Encoder, Other}};",
            "use super::super::super::encode;",
            "use super::{super::super::{encode::X}};",
            "fn f() { crate::encode::g(); }",
        ] {
            let found = imports(source)
                .iter()
                .any(|import| room_of(import, &module).as_deref() == Some("encode"));
            assert!(found, "{source}: {:?}", imports(source));
        }
        for source in [
            "// use crate::encode::X;",
            "use crate::capture::encode;",
            "use super::encode;",
            "let a = b.encode::<u8>();",
            "pub(in crate::encode) fn f() {}",
        ] {
            let found = imports(source)
                .iter()
                .any(|import| room_of(import, &module).as_deref() == Some("encode"));
            assert!(!found, "{source}: {:?}", imports(source));
        }
        assert_eq!(imports("use v4l::{Device, io};")[0][0], "v4l");
        assert!(
            imports("let d = v4l::Device::new(0);")
                .iter()
                .any(|import| import[0] == "v4l")
        );
    }
}

/// Whether `place` is `allowed`, its file, or below it.
fn is_within(place: &str, allowed: &str) -> bool {
    place
        .strip_prefix(allowed)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || rest.starts_with(".rs"))
}

pub(super) fn sources(root: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.expect("the folder can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push((path.clone(), fs::read_to_string(&path).expect("a source is text")));
            }
        }
    }
    assert!(!found.is_empty(), "no sources in {}", root.display());
    found
}

/// The module path of a file below `src`.
pub(super) fn module_of(file: &Path) -> Vec<String> {
    let mut module: Vec<String> = file
        .with_extension("")
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    if module
        .last()
        .is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str()))
    {
        module.pop();
    }
    module
}

/// The room of the own crate that `import` in `module` leads to.
fn room_of(import: &[String], module: &[String]) -> Option<String> {
    if import[0] == "crate" {
        return import.get(1).cloned();
    }
    let up = import.iter().take_while(|part| *part == "super").count();
    if up == 0 || up < module.len() {
        None
    } else {
        import.get(up).cloned()
    }
}

/// Every path in `source` outside of comments: those of `use` items, their braces spread out, and those written in full
/// elsewhere. A string with a path in it counts as well; none has been in the way so far.
pub(super) fn imports(source: &str) -> Vec<Vec<String>> {
    let code: String = source
        .lines()
        .map(|line| format!("{}\n", line.split("//").next().unwrap_or("")))
        .collect();
    let code = without_visibilities(&code);
    let mut found = BTreeSet::new();
    let mut rest = code.as_str();
    while let Some(start) = rest.find(|c: char| c.is_alphabetic() || c == '_') {
        let glued = rest[..start].ends_with("::") || rest[..start].ends_with('.');
        rest = &rest[start..];
        let end = rest
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        let word = &rest[..end];
        rest = &rest[end..];
        if word == "use" {
            let end = rest.find(';').unwrap_or(rest.len());
            spread(&rest[..end], &[], &mut found);
            rest = &rest[end..];
        } else if rest.starts_with("::") && !glued {
            let path = rest
                .find(|c: char| !c.is_alphanumeric() && c != '_' && c != ':')
                .unwrap_or(rest.len());
            let whole = format!("{word}{}", &rest[..path]);
            found.insert(
                whole
                    .split("::")
                    .filter(|part| !part.is_empty())
                    .map(str::to_owned)
                    .collect(),
            );
            rest = &rest[path..];
        }
    }
    found.into_iter().collect()
}

/// The source with `pub` for each `pub(in some::place)`: who may see a thing is no import of that place.
fn without_visibilities(source: &str) -> String {
    let mut parts = source.split("pub(in ");
    let first = parts.next().unwrap_or_default();
    let others = parts.map(|part| part.split_once(')').map_or(part, |(_, rest)| rest));
    [first].into_iter().chain(others).collect::<Vec<_>>().join("pub")
}

/// `a::{b, c::{d}}` as `a::b` and `a::c::d`.
fn spread(tree: &str, before: &[String], found: &mut BTreeSet<Vec<String>>) {
    let mut depth = 0;
    let mut start = 0;
    let mut branches = Vec::new();
    for (at, c) in tree.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                branches.push(&tree[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    branches.push(&tree[start..]);
    for branch in branches
        .into_iter()
        .map(str::trim)
        .filter(|branch| !branch.is_empty())
    {
        let (path, inner) = branch
            .split_once('{')
            .map_or((branch, None), |(path, inner)| (path, Some(inner)));
        let path = path.split(" as ").next().unwrap_or(path);
        let parts = path
            .split("::")
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(str::to_owned);
        let whole: Vec<String> = before.iter().cloned().chain(parts).collect();
        match inner {
            Some(inner) => spread(inner.trim_end().strip_suffix('}').unwrap_or(inner), &whole, found),
            None if !whole.is_empty() => drop(found.insert(whole)),
            None => {}
        }
    }
}
