//! What is logged: the usual, and what somebody wants otherwise, directive by directive.
//!
//! The library takes any word that is no level for the name of a part, all of which is to be logged, and a filter that names parts only
//! for one that leaves out everything else. Neither is what people mean.

use tracing_subscriber::{
    EnvFilter,
    filter::{Directive, LevelFilter},
};

/// What a person may write as a level.
const LEVELS: &str = "error, warn, info, debug, trace or off";

/// The usual directives and those that are wanted, of which the latter count where both name the same. A level without a target takes
/// the place of all that is usual. Returns what could not be read as well, in words.
pub(super) fn filter(usual: &str, wanted: &str) -> (EnvFilter, Vec<String>) {
    let mut taken = Vec::new();
    let mut mistakes = Vec::new();
    for directive in directives(wanted) {
        match read(usual, directive) {
            Ok(()) => taken.push(directive),
            Err(words) => mistakes.push(words),
        }
    }
    let is_level = |directive: &&str| directive.parse::<LevelFilter>().is_ok();
    let all: Vec<_> = if taken.iter().any(is_level) {
        taken
    } else {
        usual.split(',').chain(taken).collect()
    };
    (EnvFilter::new(all.join(",")), mistakes)
}

/// The parts between commas.
fn directives(filter: &str) -> impl Iterator<Item = &str> {
    filter
        .split(',')
        .map(str::trim)
        .filter(|directive| !directive.is_empty())
}

/// Whether it can be read, and if not, why.
fn read(usual: &str, directive: &str) -> Result<(), String> {
    // As somebody who writes to a log may not break its lines.
    let shown = directive.escape_debug();
    if directive.contains(['=', '[']) {
        return match directive.parse::<Directive>() {
            Ok(_) => Ok(()),
            Err(_) => Err(match directive.rsplit_once('=') {
                Some((target, level)) if !directive.contains('[') && !target.is_empty() => format!(
                    "`{shown}`: `{}` is no level; write {LEVELS} behind `{}=`",
                    level.escape_debug(),
                    target.escape_debug()
                ),
                _ => format!("`{shown}` is no directive; write a level, {LEVELS}, or TARGET=LEVEL"),
            }),
        };
    }
    // A name alone is all of that part. Of one that nobody has heard of it is likelier that a level was meant.
    let is_ours = directives(usual)
        .filter_map(|known| known.split_once('='))
        .any(|(known, _)| directive.starts_with(known));
    if is_ours || directive.contains("::") || directive.parse::<LevelFilter>().is_ok() {
        return Ok(());
    }
    Err(format!(
        "`{shown}` is no level; write {LEVELS}, or, if it is a part of the program, {shown}=debug"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: &str = "warn,pinhole_node=info,rtc=off";

    /// The directives that hold, in the library's order, and what was wrong.
    fn of(wanted: &str) -> (Vec<String>, Vec<String>) {
        let (filter, mistakes) = filter(USUAL, wanted);
        let mut all: Vec<_> = filter.to_string().split(',').map(str::to_owned).collect();
        all.sort();
        (all, mistakes)
    }

    fn sorted(directives: &[&str]) -> Vec<String> {
        let mut all: Vec<_> = directives.iter().map(|one| (*one).to_owned()).collect();
        all.sort();
        all
    }

    #[test]
    fn what_names_targets_only_leaves_the_rest_as_usual() {
        for (wanted, expected) in [
            ("", &["warn", "pinhole_node=info", "rtc=off"][..]),
            (" , ", &["warn", "pinhole_node=info", "rtc=off"]),
            ("rtc=warn", &["warn", "pinhole_node=info", "rtc=warn"]),
            (
                "pinhole_node::peer=debug",
                &["warn", "pinhole_node=info", "pinhole_node::peer=debug", "rtc=off"],
            ),
            (
                "hyper=debug, rtc_ice=trace",
                &[
                    "warn",
                    "pinhole_node=info",
                    "rtc=off",
                    "hyper=debug",
                    "rtc_ice=trace",
                ],
            ),
            ("pinhole_node", &["warn", "pinhole_node=trace", "rtc=off"]),
        ] {
            assert_eq!(of(wanted), (sorted(expected), vec![]), "{wanted:?}");
        }
    }

    #[test]
    fn a_level_takes_the_place_of_what_is_usual() {
        for (wanted, expected) in [
            ("debug", &["debug"][..]),
            ("INFO", &["info"]),
            ("off", &["off"]),
            ("info,rtc=warn", &["info", "rtc=warn"]),
            ("rtc=warn,error", &["error", "rtc=warn"]),
        ] {
            assert_eq!(of(wanted), (sorted(expected), vec![]), "{wanted:?}");
        }
    }

    #[test]
    fn what_can_not_be_read_is_named_and_left_out() {
        for (wanted, expected, named) in [
            (
                "inof",
                &["warn", "pinhole_node=info", "rtc=off"][..],
                "`inof` is no level; write error, warn, info, debug, trace or off",
            ),
            ("warning,info", &["info"], "`warning` is no level"),
            (
                "pinhole_node=verbose",
                &["warn", "pinhole_node=info", "rtc=off"],
                "`verbose` is no level; write error, warn, info, debug, trace or off behind `pinhole_node=`",
            ),
            (
                "rtc=warn,pinhole_node=,=info",
                &["warn", "pinhole_node=trace", "rtc=warn"],
                "`=info` is no directive",
            ),
            (
                "a[b",
                &["warn", "pinhole_node=info", "rtc=off"],
                "`a[b` is no directive",
            ),
            (
                "x\ny",
                &["warn", "pinhole_node=info", "rtc=off"],
                "`x\\ny` is no level",
            ),
        ] {
            let (filter, mistakes) = of(wanted);
            assert_eq!(filter, sorted(expected), "{wanted:?}");
            let [told] = &mistakes[..] else {
                panic!("{wanted:?}: {mistakes:?}")
            };
            assert!(told.contains(named), "{told}");
        }
    }
}
