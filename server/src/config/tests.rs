use std::fs;

use bytesize::ByteSize;

use super::*;

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, "server.toml".as_ref())
}

#[test]
fn the_sample_says_what_the_defaults_are() {
    let sample = include_str!("../../../config/server.toml");
    assert_eq!(parse(sample).unwrap(), Config::default());
}

#[test]
fn the_sample_has_every_key() {
    // What has no value by default is commented out with a mark of its own.
    let sample = include_str!("../../../config/server.toml").replace("\n#: ", "\n");
    let sample: toml::Table = sample.parse().unwrap();
    // Without `..`: a new key must be added here, and then to the sample.
    let Config {
        listen,
        access,
        limits,
    } = Config::default();
    let Access {
        token_file,
        token,
        hosts,
        allow_origins,
        trusted_proxies,
    } = access;
    assert_eq!((hosts, allow_origins), (vec![], vec![]), "as the sample says");
    assert_eq!(trusted_proxies, [], "as the sample says");
    assert_eq!(
        (token_file, token),
        (None, None),
        "what the sample gives is an example"
    );
    let Limits {
        members,
        connections,
        message_bytes,
        mailbox_messages,
        mailbox_bytes,
        memory_bytes,
        address_share,
        request_timeout,
    } = limits;
    let size = |bytes: usize| {
        ByteSize(bytes as u64)
            .display()
            .iec()
            .to_string()
            .replace(' ', "")
            .replace(".0", "")
    };
    let (message, mailbox, memory) = (size(message_bytes), size(mailbox_bytes), size(memory_bytes));
    let timeout = humantime::format_duration(request_timeout);
    let all = format!(
        "listen = \"{listen}\"\n[access]\n\
         token_file = \"/run/credentials/pinhole-server.service/pinhole.token\"\nhosts = []\nallow_origins = []\ntrusted_proxies = []\n[limits]\nmembers = {members}\nconnections = {connections}\n\
         message_size = \"{message}\"\nmailbox_messages = {mailbox_messages}\n\
         mailbox_size = \"{mailbox}\"\nmemory = \"{memory}\"\naddress_share = {address_share}\n\
         request_timeout = \"{timeout}\"\n"
    );
    let all: toml::Table = all.parse().unwrap();
    assert_eq!(sample, all);
}

#[test]
fn an_empty_file_is_the_default() {
    assert_eq!(parse("").unwrap(), Config::default());
}

#[test]
fn an_error_names_the_line_and_what_is_allowed() {
    for (text, line, says) in [
        ("listen = \"here\"", "line 1", "`here` is no address to listen on"),
        (
            "\nlistne = \"[::]:1\"",
            "line 2",
            "`listne` here; did you mean `listen`?",
        ),
        (
            "[access]\ntoken_file = \"token\"",
            "line 2",
            "not an absolute path",
        ),
        (
            "[access]\n\nhosts = [\"https://cameras.example.org\"]",
            "line 3",
            "`https://cameras.example.org` is no host name; write it without scheme and port",
        ),
        (
            "[access]\nhosts = \"cameras.example.org\"",
            "line 2",
            "`hosts` is the text \"cameras.example.org\"; it has to be a list: write [\"cameras.example.org\"]",
        ),
        (
            "[access]\nallow_origins = [\"*\", \"home.example.org\"]",
            "line 2",
            "`home.example.org` is no origin; write scheme, host",
        ),
        (
            "[access]\nallow_origin = [\"*\"]",
            "line 2",
            "did you mean `allow_origins`?",
        ),
        (
            "[access]\ntrusted_proxies = [\"127.0.0.1\", \"10.0.0.0/33\"]",
            "line 2",
            "`10.0.0.0/33` is no address of a proxy; write it as",
        ),
        (
            "[limits]\nmembers = 0",
            "line 2",
            "`members` is 0; it must be 1 to 1000000",
        ),
        (
            "[limits]\n\nconnections = -4",
            "line 3",
            "`connections` is -4; it must be 4 to 1000000",
        ),
        (
            "[limits]\nmessage_size = \"1GiB\"",
            "line 2",
            "`message_size` is 1GiB; it must be 1.0 KiB to",
        ),
        (
            "[limits]\nmemory = \"big\"",
            "line 2",
            "`memory` is `big`, which is not a size, such as \"256KiB\"",
        ),
        (
            "[limits]\nmemory = 1",
            "line 2",
            "`memory` is 1; it must be 1.0 MiB to 1.0 GiB",
        ),
        (
            "[limits]\nmailbox_size = -1",
            "line 2",
            "`mailbox_size` must be a number of bytes, or one with its unit in quotes",
        ),
        (
            "[limits]\nmailbox_messages = 0",
            "line 2",
            "`mailbox_messages` is 0; it must be 1 to 100000",
        ),
        (
            "[limits]\naddress_share = 101",
            "line 2",
            "`address_share` is 101; it must be 1 to 100",
        ),
        (
            "[limits]\nrequest_timeout = 10",
            "line 2",
            "`request_timeout` is `10`; it must be a time from 1s to 1h, such as \"10s\"",
        ),
        (
            "[limits]\nrequest_timeout = true",
            "line 2",
            "`request_timeout` must be a time from 1s to 1h",
        ),
        (
            "[limits]\nrequest_timeout = \"2 days\"",
            "line 2",
            "from 1s to 1h",
        ),
        (
            "[limits]\nmembers = \"many\"",
            "line 2",
            "`members` is the text \"many\"; it has to be a whole number",
        ),
        ("[limits", "line 1", ""),
    ] {
        let error = parse(text).unwrap_err().to_string();
        assert!(error.contains(line) && error.contains(says), "{text}: {error}");
    }
}

#[test]
fn a_port_alone_is_meant_on_all_addresses() {
    for written in ["8888", "\"8888\"", "\":8888\"", "\" [::]:8888 \""] {
        let config = parse(&format!("listen = {written}")).unwrap();
        assert_eq!(config.listen, Config::default().listen, "{written}");
    }
    for written in [
        "99999",
        "-1",
        "\"\"",
        "\":\"",
        "\"+8888\"",
        "\"localhost:8888\"",
        "\"8888:\"",
        "\"127.0.0.1\"",
    ] {
        let error = parse(&format!("listen = {written}")).unwrap_err().to_string();
        assert!(
            error.contains("line 1") && error.contains("a port alone"),
            "{error}"
        );
    }
}

#[test]
fn every_mistake_is_told_in_the_order_of_the_file() {
    let text = "listn = 8888\n[access]\nhosts = \"porch.example\"\nallow_origins = [\"*\", \"porch\", 5]\n\
                trusted_proxies = true\n[limits]\nmembers = 0\nmemory = \"big\"\naddress_share = \"25\"\nmembers = 7\n";
    let lines = parse(text).unwrap_err().lines();
    let starts: Vec<_> = lines
        .iter()
        .map(|line| line.split(": ").next().unwrap_or_default())
        .collect();
    let expected = [1, 3, 4, 4, 5, 7, 8, 9, 10].map(|line| format!("server.toml, line {line}"));
    assert_eq!(starts, expected, "{lines:#?}");
    for word in ["u32", "usize", "invalid type", "expected", "sequence", "map"] {
        assert!(!lines.concat().contains(word), "{word} is in {lines:#?}");
    }
    assert!(lines[8].contains("second time"), "{lines:#?}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = Config::read(Path::new("/nowhere/server.toml"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("/nowhere/server.toml"), "{error}");
}

#[test]
fn a_token_that_can_not_be_used_is_named_with_its_key() {
    let directory = tempfile::tempdir().unwrap();
    let (path, token) = (
        directory.path().join("server.toml"),
        directory.path().join("token"),
    );
    let token = token.display();
    fs::write(&path, format!("[access]\ntoken_file = \"{token}\"")).unwrap();
    let error = Config::read(&path).unwrap_err().to_string();
    for part in [
        path.display().to_string(),
        token.to_string(),
        "access.token_file".into(),
    ] {
        assert!(error.contains(&part), "{part} is not in: {error}");
    }
}

#[test]
fn members_are_bounded_by_what_is_there_for_them() {
    let fit = |text: &str| parse(text).unwrap().members_that_fit();
    assert!(fit("") >= Config::default().limits.members);
    let many = "[limits]\nmembers = 5000\n";
    assert!(fit(many) < 5000);
    assert!(fit(&format!("{many}memory = \"64MiB\"")) >= 5000);
}

#[test]
fn one_address_has_a_quarter_of_all_and_a_few_of_each_in_any_case() {
    let config = Config::default();
    let limits = config.hub_limits();
    assert_eq!(limits.members, Bound { all: 1000, each: 250 });
    assert_eq!(limits.mailbox_messages, Bound { all: 1024, each: 256 });
    assert!(limits.mailbox_bytes.each > 2 * config.limits.message_bytes);
    assert_eq!(config.memory().share, config.memory().whole / 4);
    let few = parse("[limits]\nmembers = 20\naddress_share = 1").unwrap();
    assert_eq!(few.hub_limits().members, Bound { all: 20, each: 16 });
    let all = parse("[limits]\naddress_share = 100").unwrap().hub_limits();
    assert_eq!(
        all.members,
        Bound {
            all: 1000,
            each: 1000
        }
    );
}

#[test]
fn the_largest_message_fits_into_an_empty_mailbox() {
    let config = parse("[limits]\nmailbox_size = 1024\nmemory = \"1MiB\"\naddress_share = 1").unwrap();
    let (limits, memory) = (config.hub_limits(), config.memory());
    assert!(limits.mailbox_bytes.each > config.limits.message_bytes);
    assert!(memory.share > limits.mailbox_bytes.all + hub::Parcel::OVERHEAD);
    assert!(memory.whole >= memory.share);
}
