use pinhole_service::config::Mistake;

use crate::config::{Changes, Config, ConfigError, Listen, StunServer, gpio, parse};

/// What is allowed to be long is what was written. The rest of a mistake are our own words.
const OWN_WORDS: usize = 4096;

/// A configuration.
pub fn config(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    match parse(text, "node.toml".as_ref()) {
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

/// What was taken can be used.
fn check(config: &Config) {
    assert_eq!(
        Changes::between(config, config),
        Changes::default(),
        "it is what it is"
    );
    let usual = Config::default();
    for (old, new) in [(&usual, config), (config, &usual)] {
        let _ = Changes::between(old, new).words();
    }
    assert!(!config.cameras.is_empty());
    for (number, camera) in config.cameras.iter().enumerate() {
        assert!(
            config.cameras[..number]
                .iter()
                .all(|other| other.name != camera.name),
            "each has a name of its own"
        );
        assert_eq!(config.cameras.called(camera.name.as_deref()), Some(camera));
        assert!(camera.fps.interval().as_micros() > 0 && camera.fps.as_f64() > 0.0);
        let _ = (
            camera.member(&config.display_name()),
            config.cameras.named_besides(camera),
        );
    }
    let listen = &config.http.listen;
    assert_eq!(listen.to_string().parse::<Listen>().as_ref(), Ok(listen));
    for server in &config.webrtc.ice_servers {
        assert_eq!(server.to_string().parse::<StunServer>().as_ref(), Ok(server));
    }
    pins(&config.gpio);
}

/// What hangs on pins is written into a file while the node runs, and read after a crash.
fn pins(pins: &gpio::Gpio) {
    let written = gpio::as_file(pins).unwrap_or_else(|error| panic!("it can be written: {error}"));
    let again = parse(&written, "node.toml".as_ref())
        .unwrap_or_else(|error| panic!("what is written can be read: {error}\n{written}"));
    assert_eq!(again.gpio, *pins, "{written}");
    for servo in &pins.servos {
        for degrees in [servo.min, servo.centre, servo.max, f64::MIN, f64::MAX] {
            let pulse = servo.pulse(degrees).as_micros();
            assert!(
                (199..=5001).contains(&pulse),
                "{degrees} degrees are {pulse} microseconds"
            );
        }
    }
}
