//! The direction of imports (ARCHITECTURE.md), read from the sources: who may know whom.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use pinhole_e2e::programs::repository;

use super::imports::{Source, Words};

/// Every room of the node, and the rooms that it may know.
const ROOMS: &[(&str, &[&str])] = &[
    ("args", &[]),
    ("figures", &[]),
    ("media", &[]),
    ("retry", &[]),
    ("capture", &["media"]),
    ("encode", &["media"]),
    ("fanout", &["figures", "media"]),
    ("config", &["media"]),
    ("control", &["config", "figures", "media"]),
    (
        "pipeline",
        &["capture", "encode", "fanout", "figures", "media", "retry"],
    ),
    ("voice", &["capture", "encode", "figures", "media", "retry"]),
    ("peer", &["fanout", "figures", "media", "voice"]),
    ("presence", &["media", "peer"]),
    (
        "status",
        &[
            "control", "fanout", "figures", "media", "peer", "pipeline", "presence", "voice",
        ],
    ),
    (
        "app",
        &[
            "capture", "config", "control", "encode", "fanout", "media", "peer", "pipeline", "presence",
            "status", "voice",
        ],
    ),
    (
        "check",
        &[
            "app", "capture", "config", "control", "encode", "peer", "presence", "status", "voice",
        ],
    ),
    ("devices", &["capture", "control", "encode", "media"]),
    ("fuzz", &["capture", "config", "encode", "media", "peer"]),
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
    "node/src/control/room",
    "node/src/peer/congestion",
    "node/src/peer/sdp",
    "node/src/peer/session",
    "node/src/peer/srtp",
    "node/src/presence/meeting",
    "server/src/hub",
];

/// What it must not mention, as parts of paths.
const IMPURE: &[&[&str]] = &[
    &["tokio"],
    &["socket2"],
    &["quinn_udp"],
    &["std", "fs"],
    &["std", "thread"],
    &["std", "process"],
    &["std", "os"],
    &["TcpListener"],
    &["TcpStream"],
    &["ToSocketAddrs"],
    &["UdpSocket"],
    &["Instant", "now"],
    &["SystemTime"],
    &["Timestamp", "now"],
];

/// What it must not call: each asks the clock.
const CLOCKS: &[&str] = &["elapsed"];

mod quick {
    use super::*;

    #[test]
    fn rooms_know_only_the_rooms_that_they_may() {
        let (mut faults, mut seen) = (Vec::new(), BTreeSet::new());
        let node = repository().join("node/src");
        for (path, source) in sources(&node) {
            let module = module_of(path.strip_prefix(&node).expect("found below"));
            // The crate's root only lists them.
            let Some(own) = module.first() else { continue };
            let Some((own, allowed)) = ROOMS.iter().find(|(room, _)| own == room) else {
                faults.push(format!("{own} is not listed"));
                continue;
            };
            seen.insert(own);
            for import in Source::read(&source).paths {
                let room = room_of(&import, &module);
                if let Some(room) = room.filter(|room| room != own && !allowed.contains(&room.as_str())) {
                    faults.push(format!("{} knows {room}: {}", path.display(), import.join("::")));
                }
            }
        }
        assert!(faults.is_empty(), "{}", faults.join("\n"));
        assert_eq!(seen.len(), ROOMS.len(), "some have moved away");
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
                for import in Source::read(&source).paths {
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
        let all = ["node/src", "server/src"].map(|root| sources(&repository().join(root)));
        for (path, source) in all.into_iter().flatten() {
            let place = path.strip_prefix(repository()).expect("found below");
            let place = place.to_string_lossy();
            let pure = PURE.iter().find(|pure| is_within(&place, pure));
            let Some(pure) = pure.filter(|_| !place.contains("tests")) else {
                continue;
            };
            seen.insert(pure);
            let found = impurities(without_tests(&source));
            faults.extend(found.iter().map(|found| format!("{place} knows {found}")));
        }
        assert!(faults.is_empty(), "{}", faults.join("\n"));
        assert_eq!(seen.len(), PURE.len(), "some have moved away");
    }

    #[test]
    fn io_and_clocks_are_found_in_every_spelling() {
        for (source, found) in [
            (
                "use std::{fs, net::{SocketAddr, UdpSocket}};",
                &["std::fs", "std::net::UdpSocket"][..],
            ),
            (
                "fn f() { net::TcpStream::connect(x) }",
                &["net::TcpStream::connect"],
            ),
            ("fn f() { let now = Instant::now(); }", &["Instant::now"]),
            ("fn f() { since.elapsed() > x }", &["elapsed"]),
            (
                "use std::{net::IpAddr, time::Instant}; // Instant::now, a.elapsed()",
                &[],
            ),
        ] {
            assert_eq!(impurities(source), found, "{source}");
        }
    }

    #[test]
    fn a_room_is_found_in_every_spelling() {
        let module = ["capture".to_owned(), "v4l2".to_owned(), "open".to_owned()];
        let rooms = |source: &str| -> Vec<String> {
            let paths = Source::read(source).paths.into_iter();
            paths.filter_map(|path| room_of(&path, &module)).collect()
        };
        for source in [
            "use crate::encode::Encoder;",
            "pub(crate) use crate::{media::Frame, encode::{Encoder, Other}};",
            "use super::super::super::encode;",
            "use super::{super::super::{encode::X}};",
            "mod inner { use super::super::super::super::encode; }",
            "fn f() { crate::encode::g(); }",
        ] {
            assert!(rooms(source).contains(&"encode".to_owned()), "{source}");
        }
        for source in [
            "use crate::capture::encode;",
            "use super::encode;",
            "mod inner { use super::super::super::encode; }",
            "pub(in crate::encode) fn f() {}",
        ] {
            assert!(!rooms(source).contains(&"encode".to_owned()), "{source}");
        }
    }
}

/// What a source mentions of [`IMPURE`] and [`CLOCKS`].
fn impurities(source: &str) -> Vec<String> {
    let Source { paths, members, .. } = Source::read(source);
    let is_impure = |path: &Words| {
        let mentions = |name: &&[&str]| path.windows(name.len()).any(|part| part == *name);
        IMPURE.iter().any(mentions)
    };
    let paths = paths.into_iter().filter(is_impure).map(|path| path.join("::"));
    let calls = members.into_iter().filter(|name| CLOCKS.contains(&name.as_str()));
    paths.chain(calls).collect()
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

/// A source without its tests, which stand at its end.
pub(super) fn without_tests(source: &str) -> &str {
    source
        .split("\n#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default()
}
