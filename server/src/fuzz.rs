//! What has to hold whatever comes from outside: a function that checks it, and tells whether the input was taken for what it should be.
//! The unit test here gives it seeds and mutations of those, `dev/fuzz server-config` has libFuzzer do so (`tests/fuzz`).

use pinhole_service::config::Mistake;

use crate::config::{Config, ConfigError};

/// What is allowed to be long is what was written. The rest of a mistake are our own words.
const OWN_WORDS: usize = 4096;

/// A configuration.
pub fn config(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    match Config::parse(text, "server.toml".as_ref()) {
        Ok(config) => {
            check(&config);
            true
        }
        Err(mistake) => {
            explain(text, &mistake);
            false
        }
    }
}

/// Mistakes stand in lines of the file, in its order.
fn explain(text: &str, error: &ConfigError) {
    let ConfigError::Invalid { mistakes, .. } = error else {
        panic!("nothing else was read: {error}");
    };
    assert!(!mistakes.is_empty(), "there is a mistake");
    let lines = 1 + text.bytes().filter(|byte| *byte == b'\n').count();
    let numbers: Vec<_> = mistakes.iter().filter_map(|mistake| mistake.line).collect();
    assert!(numbers.is_sorted(), "{numbers:?}");
    for number in numbers {
        assert!((1..=lines).contains(&number), "line {number} of {lines}");
    }
    for Mistake { words, .. } in mistakes {
        assert!(
            !words.is_empty() && !words.contains('\n'),
            "one line of words: {words:?}"
        );
        assert!(words.len() <= 8 * text.len() + OWN_WORDS, "{} bytes", words.len());
    }
}

/// The bounds of what was taken hold one another.
fn check(config: &Config) {
    let limits = &config.limits;
    let hub = config.hub_limits();
    for bound in [hub.members, hub.mailbox_messages, hub.mailbox_bytes] {
        assert!((1..=bound.all).contains(&bound.each), "{bound:?}");
    }
    assert!(hub.mailbox_bytes.each > limits.message_bytes, "a message fits");
    let memory = config.memory();
    assert!(memory.share <= memory.whole && memory.whole >= limits.memory_bytes);
    assert!(memory.share >= hub.mailbox_bytes.each, "what one may have fits");
    assert!(config.share(limits.connections, 4) <= limits.connections);
    let _ = config.members_that_fit();
    let _ = config.access.gates();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_configuration_says_its_bounds_hold_or_it_is_a_mistake_with_its_line() {
        let tally = pinhole_fuzz::attempt("server-config", 4000, config);
        assert!(
            tally.seeds > 0 && tally.taken > 100 && tally.refused > 100,
            "{tally:?}"
        );
    }
}
