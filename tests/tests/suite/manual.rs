//! The manual pages and shell completions in `packaging/` say what the programs' own command lines say. After a change of
//! a command line, `PINHOLE_WRITE_MANUAL=1 cargo test -p pinhole-e2e --test suite manual` writes them anew.

use std::fs;

use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;
use pinhole_e2e::programs::repository;

/// What no command line tells, in the language of manual pages.
const NODE: &str = r#".SH FILES
.TP
\fI/etc/pinhole/node.toml\fR
The configuration; see \fBpinhole\-node.toml\fR(5). As a service the node starts when this file is changed for the first
time, or when the server is installed on the same machine. \fBsystemctl reload pinhole\-node\fR applies later changes.
.TP
\fI/etc/credstore/pinhole.token\fR
An access token for the signaling server. The service finds it as
\fI/run/credentials/pinhole\-node.service/pinhole.token\fR, which \fBtoken_file\fR in the configuration is to name.
.SH SEE ALSO
\fBpinhole\-node.toml\fR(5), \fBpinhole\-server\fR(8), \fBpinhole\-view\fR(1), \fBsystemctl\fR(1), \fBjournalctl\fR(1)
"#;
const SERVER: &str = r#".SH FILES
.TP
\fI/etc/pinhole/server.toml\fR
The configuration; see \fBpinhole\-server.toml\fR(5). \fBsystemctl reload pinhole\-server\fR applies changes.
.TP
\fI/etc/credstore/pinhole.token\fR
The access token that nodes and viewers have to know, if there is to be one. The service finds it as
\fI/run/credentials/pinhole\-server.service/pinhole.token\fR, which \fBtoken_file\fR in the configuration is to name.
.SH SEE ALSO
\fBpinhole\-server.toml\fR(5), \fBpinhole\-node\fR(8), \fBpinhole\-view\fR(1), \fBsystemctl\fR(1), \fBjournalctl\fR(1)
"#;
const VIEWER: &str = r#".SH SEE ALSO
\fBpinhole\-node\fR(8), \fBpinhole\-server\fR(8)
"#;
/// What the environment tells the daemons, in all of their pages.
const DAEMON: &str = r#".SH ENVIRONMENT
.TP
\fBPINHOLE_LOG\fR
What to log: \fBerror\fR, \fBwarn\fR, \fBinfo\fR, \fBdebug\fR, \fBtrace\fR, \fBoff\fR, or a level for a part of the program, such as
\fBrtc=warn\fR, beside which the rest stays as it is; several with commas between them. What is logged as a service by default is \fBinfo\fR, and
nothing for the commands, whose own words are on the standard output and error.
.TP
\fBNO_COLOR\fR
Set to anything but nothing, there are no colours in the log. Where standard error is no terminal there are none in any case.
.SH EXIT STATUS
.TP
\fB0\fR
It did what it was asked for; after SIGTERM or SIGINT as well.
.TP
\fB1\fR
It failed, and says why; \fBcheck\fR: something would fail. A second SIGTERM or SIGINT, which ends it at once.
.TP
\fB2\fR
The command line is wrong.
.TP
\fB78\fR
The configuration can't be used (EX_CONFIG of \fIsysexits.h\fR). It stays so until somebody changes it, and systemd does not try again.
"#;
/// That for the viewer.
const TERMINAL: &str = r#".SH ENVIRONMENT
.TP
\fBPINHOLE_LOG\fR
What to log, on the standard error: \fBerror\fR, \fBwarn\fR, \fBinfo\fR, \fBdebug\fR, \fBtrace\fR, \fBoff\fR, or a level for a part of the
program, such as \fBpinhole_view=debug\fR, beside which the rest stays as it is; several with commas between them.
.TP
\fBPINHOLE_TOKEN_FILE\fR
As \fB\-\-token\-file\fR.
.TP
\fBNO_COLOR\fR
Set to anything, there are no colours in the log. Where standard error is no terminal there are none in any case.
.SH EXIT STATUS
.TP
\fB0\fR
Pictures came, however the call ended; \fBlist\fR: the server answered.
.TP
\fB1\fR
Something on this machine failed.
.TP
\fB2\fR
The command line is wrong.
.TP
\fB3\fR
The signaling server can't be reached, or refuses.
.TP
\fB4\fR
No member of that name came, or several names start so.
.TP
\fB5\fR
The node does not want the call.
.TP
\fB6\fR
The node gave no answer that can be used, or went away.
.TP
\fB7\fR
There is no network path to the node, or it broke.
.TP
\fB8\fR
The call ended before the first picture.
.TP
\fB9\fR
The recording failed, although pictures may have come.
.TP
\fB130\fR
A second Ctrl\-C ended it at once.
"#;

/// A program's command line, the section of the manual that it belongs to, and what its pages say besides: all of them, and its own.
type Program = (Command, &'static str, &'static str, &'static str);

fn programs() -> [Program; 3] {
    [
        (pinhole_node::args::Args::command(), "8", DAEMON, NODE),
        (pinhole_server::args::Args::command(), "8", DAEMON, SERVER),
        (pinhole_view::args::Cli::command(), "1", TERMINAL, VIEWER),
    ]
}

mod quick {
    use super::*;

    #[test]
    fn manual_pages_and_completions_say_what_the_programs_say() {
        let mut wanted = Vec::new();
        for (mut command, section, everywhere, rest) in programs() {
            let name = command.get_name().to_owned();
            for (shell, file) in [
                (Shell::Bash, format!("bash/{name}")),
                (Shell::Zsh, format!("zsh/_{name}")),
                (Shell::Fish, format!("fish/{name}.fish")),
            ] {
                let mut text = Vec::new();
                clap_complete::generate(shell, &mut command.clone(), &name, &mut text);
                wanted.push((format!("completions/{file}"), text));
            }
            command.build();
            let source = format!("pinhole {}", command.get_version().unwrap_or_default());
            pages(
                &command,
                &name,
                (section, &source),
                (everywhere, rest),
                &mut wanted,
            );
        }
        for (file, text) in wanted.iter().filter(|(file, _)| file.starts_with("man/")) {
            let text = String::from_utf8_lossy(text);
            for part in ["PINHOLE_LOG", "NO_COLOR", ".SH EXIT STATUS"] {
                assert!(text.contains(part), "{part} is not in {file}");
            }
        }

        let packaging = repository().join("packaging");
        let mut stale = Vec::new();
        for (file, text) in wanted {
            let path = packaging.join(&file);
            if fs::read(&path).is_ok_and(|found| found == text) {
                continue;
            }
            if std::env::var_os("PINHOLE_WRITE_MANUAL").is_some() {
                fs::create_dir_all(path.parent().expect("a file is in a folder"))
                    .expect("the folder can be made");
                fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            } else {
                stale.push(file);
            }
        }
        assert!(
            stale.is_empty(),
            "run PINHOLE_WRITE_MANUAL=1 cargo test -p pinhole-e2e --test suite manual, which brings these up to date: {stale:?}"
        );
    }

    #[test]
    fn every_help_tells_of_the_log() {
        for (mut command, ..) in programs() {
            command.build();
            let inner = command
                .get_subcommands()
                .filter(|inner| inner.get_name() != "help");
            for one in inner.cloned().chain([command.clone()]) {
                let help = one.clone().render_long_help().to_string();
                for part in ["PINHOLE_LOG", "NO_COLOR"] {
                    assert!(help.contains(part), "{part} is not in\n{help}");
                }
            }
        }
    }
}

/// Adds the page of a command, and those of what it can be told to do.
fn pages(
    command: &Command,
    name: &str,
    (section, source): (&str, &str),
    (everywhere, rest): (&str, &str),
    wanted: &mut Vec<(String, Vec<u8>)>,
) {
    let man = Man::new(command.clone())
        .title(name)
        .section(section)
        .source(source)
        .manual("Pinhole");
    let mut page = Vec::new();
    let to_memory = "memory takes what is written to it";
    man.render_title(&mut page).expect(to_memory);
    man.render_name_section(&mut page).expect(to_memory);
    man.render_synopsis_section(&mut page).expect(to_memory);
    man.render_description_section(&mut page).expect(to_memory);
    man.render_options_section(&mut page).expect(to_memory);
    let commands: Vec<&Command> = command
        .get_subcommands()
        .filter(|inner| inner.get_name() != "help")
        .collect();
    if !commands.is_empty() {
        page.extend(b".SH COMMANDS\n");
    }
    for inner in commands {
        let inner_name = format!("{name}-{}", inner.get_name());
        let about = inner.get_about().map(ToString::to_string).unwrap_or_default();
        let roff_name = inner_name.replace('-', r"\-");
        page.extend(format!(".TP\n\\fB{roff_name}\\fR({section})\n{about}\n").bytes());
        let back = format!(".SH SEE ALSO\n\\fB{}\\fR({section})\n", name.replace('-', r"\-"));
        pages(inner, &inner_name, (section, source), (everywhere, &back), wanted);
    }
    page.extend(everywhere.bytes().chain(rest.bytes()));
    wanted.push((format!("man/{name}.{section}"), page));
}
