use crate::config::{Changes, Config, ConfigError, Listen, StunServer, gpio, parse};

/// What is allowed to be long is what was written. The rest of a mistake are our own words.
const OWN_WORDS: usize = 4096;

/// A configuration.
pub fn config(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    match parse(text) {
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

/// A mistake stands in a line of the file.
fn explain(text: &str, mistake: &ConfigError) {
    let ConfigError::Invalid { line, mistake, .. } = mistake else {
        panic!("nothing else was read: {mistake}");
    };
    if let Some(line) = line {
        let lines = 1 + text.bytes().filter(|byte| *byte == b'\n').count();
        assert!((1..=lines).contains(line), "line {line} of {lines}");
    }
    assert!(
        !mistake.is_empty() && !mistake.contains('\n'),
        "one line of words: {mistake:?}"
    );
    assert!(
        mistake.len() <= 8 * text.len() + OWN_WORDS,
        "{} bytes",
        mistake.len()
    );
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
    let again =
        parse(&written).unwrap_or_else(|error| panic!("what is written can be read: {error}\n{written}"));
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
