//! The access token: one secret that a server and all who may use it know.
//!
//! On the wire it is a bearer token (RFC 6750, 2.1), or the password of HTTP Basic authentication with any user name
//! (RFC 7617), so that a browser can ask a person for it. Invariant: it never gets into a log or a message; neither
//! `Debug` nor any error shows it.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustix::fs::OFlags;
use subtle::ConstantTimeEq;

/// The fewest characters. Whoever can reach a server can try tokens, as many as the network carries.
const LEAST: usize = 8;
/// The most characters: a token is for a header line.
const MOST: usize = 512;
/// The most bytes that are read of a file: a token, and white space around it.
const MOST_OF_FILE: u64 = 4096;

/// A secret of 8 to 512 visible ASCII characters. Two are compared in a time that tells only their lengths.
#[derive(Clone)]
pub struct Token(String);

/// Why a text can't be a token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// There is nothing in it but white space.
    #[error("it is empty")]
    Empty,
    /// It is not of 8 to 512 characters.
    #[error("it has {0} characters, and a token has {LEAST} to {MOST}")]
    Length(usize),
    /// Something other than visible ASCII, such as a second line.
    #[error(
        "character {0} is none that a token can have: write one line of ASCII letters, digits and signs, without spaces"
    )]
    Character(usize),
}

/// Why a file gives no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenFileError {
    /// It can't be read.
    #[error("can't read the access token {}: {cause}{}", .path.display(), advice(.path, .cause))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// Its permissions let everybody on this machine read or change it.
    #[error("the access token {path} is open to everybody on this machine; run  chmod o= {path}", path = .path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
    },
    /// What it holds is no token.
    #[error("{} holds no access token: {cause}", .path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: TokenError,
    },
}

impl Token {
    /// Takes a text; white space around it doesn't count.
    ///
    /// # Errors
    /// It is too short, too long, or has characters that a header can't carry.
    pub fn new(text: &str) -> Result<Token, TokenError> {
        let token = text.trim();
        if token.is_empty() {
            return Err(TokenError::Empty);
        }
        if let Some(at) = token.chars().position(|letter| !letter.is_ascii_graphic()) {
            return Err(TokenError::Character(at + 1));
        }
        if !(LEAST..=MOST).contains(&token.len()) {
            return Err(TokenError::Length(token.len()));
        }
        Ok(Token(token.to_owned()))
    }

    /// Reads a file with one line.
    ///
    /// # Errors
    /// It can't be read or is no file, everybody can read it, or it holds no token. The error names the file.
    pub fn read(path: &Path) -> Result<Token, TokenFileError> {
        let unreadable = |cause| TokenFileError::Unreadable {
            path: path.to_owned(),
            cause,
        };
        let file = open(path).map_err(unreadable)?;
        // Of the open file, not of the name, which may be another one's meanwhile.
        let about = file.metadata().map_err(unreadable)?;
        let kind = about.file_type();
        if !(kind.is_file() || (is_own(path) && kind.is_fifo())) {
            return Err(unreadable(io::Error::other("it is not a file")));
        }
        let mode = about.permissions().mode();
        if mode & 0o006 != 0 {
            return Err(TokenFileError::Exposed {
                path: path.to_owned(),
            });
        }
        let mut text = String::new();
        file.take(MOST_OF_FILE)
            .read_to_string(&mut text)
            .map_err(unreadable)?;
        Token::new(&text).map_err(|cause| TokenFileError::Wrong {
            path: path.to_owned(),
            cause,
        })
    }

    /// The value of the `Authorization` header that shows this token.
    pub(crate) fn bearer(&self) -> String {
        format!("Bearer {}", self.0)
    }

    /// What an `Authorization` header shows of this token.
    pub fn check(&self, authorization: &[u8]) -> Shown {
        let Some((scheme, credentials)) = split(authorization) else {
            return Shown::Wrong;
        };
        if scheme.eq_ignore_ascii_case(b"Bearer") {
            return if self.is(credentials) {
                Shown::Bearer
            } else {
                Shown::Wrong
            };
        }
        if scheme.eq_ignore_ascii_case(b"Basic") {
            let decoded = STANDARD.decode(credentials).unwrap_or_default();
            // Up to the first colon it is the user name, which is of no account.
            let password = decoded
                .iter()
                .position(|&byte| byte == b':')
                .map(|colon| &decoded[colon + 1..]);
            if password.is_some_and(|password| self.is(password)) {
                return Shown::Basic;
            }
        }
        Shown::Wrong
    }

    fn is(&self, other: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(other).into()
    }
}

/// What came of a look at an `Authorization` header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// The token, by somebody who wrote it there.
    Bearer,
    /// The token, perhaps by a browser that adds it to every request, whichever page asks for that.
    Basic,
    /// Not the token.
    Wrong,
}

/// Whether it is a descriptor of this program. A pipe there, as a shell makes it of `<(command)`, has somebody who writes.
fn is_own(path: &Path) -> bool {
    let own = ["/dev/stdin", "/dev/fd", "/proc/self/fd"];
    own.iter().any(|own| path.starts_with(own))
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    if !is_own(path) {
        // To open a pipe in the file system waits for who writes to it, and there may be nobody.
        options.custom_flags(OFlags::NONBLOCK.bits().cast_signed());
    }
    options.open(path)
}

/// The directory below which systemd hands secrets to services (systemd.exec(5), LoadCredential=).
const CREDENTIALS: &str = "/run/credentials";

fn advice(path: &Path, cause: &io::Error) -> &'static str {
    if cause.kind() == io::ErrorKind::NotFound && path.starts_with(CREDENTIALS) {
        "; systemd puts it there when the service starts, if it is in /etc/credstore by then"
    } else {
        ""
    }
}

fn split(authorization: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = authorization.iter().position(|&byte| byte == b' ')?;
    Some((&authorization[..space], authorization[space..].trim_ascii()))
}

impl PartialEq for Token {
    fn eq(&self, other: &Token) -> bool {
        self.is(other.0.as_bytes())
    }
}

impl Eq for Token {}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(secret)")
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const SECRET: &str = "correct-horse:battery";

    fn token() -> Token {
        Token::new(SECRET).unwrap()
    }

    fn basic(pair: &str) -> Vec<u8> {
        format!("Basic {}", STANDARD.encode(pair)).into_bytes()
    }

    #[test]
    fn white_space_around_a_token_does_not_count() {
        assert_eq!(Token::new(&format!(" {SECRET}\r\n")), Ok(token()));
    }

    #[test]
    fn what_can_not_be_a_token_is_told_why() {
        for (text, error) in [
            ("", TokenError::Empty),
            (" \n", TokenError::Empty),
            ("1234567", TokenError::Length(7)),
            ("two\nlines of it", TokenError::Character(4)),
            ("a space in it", TokenError::Character(2)),
            ("naïve-token", TokenError::Character(3)),
            ("\u{7f}1234567", TokenError::Character(1)),
        ] {
            assert_eq!(Token::new(text), Err(error), "{text:?}");
        }
        assert_eq!(Token::new(&"x".repeat(513)), Err(TokenError::Length(513)));
        assert!(Token::new(&"x".repeat(512)).is_ok());
    }

    #[test]
    fn a_token_never_shows_itself() {
        assert_eq!(
            format!("{:?} {:#?}", token(), Some(token()))
                .matches("secret")
                .count(),
            2
        );
        assert!(!format!("{:?}", token()).contains("horse"));
        let error = Token::new("correct horse battery").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("horse"));
    }

    #[test]
    fn it_is_shown_as_a_bearer_token_or_as_a_password_of_anybody() {
        assert_eq!(token().check(token().bearer().as_bytes()), Shown::Bearer);
        for (authorization, expected) in [
            (format!("bearer  {SECRET}").into_bytes(), Shown::Bearer),
            (basic(&format!("me:{SECRET}")), Shown::Basic),
            (basic(&format!(":{SECRET}")), Shown::Basic),
            (basic(&format!("Jürgen:{SECRET}")), Shown::Basic),
        ] {
            assert_eq!(
                token().check(&authorization),
                expected,
                "{}",
                authorization.escape_ascii()
            );
        }
    }

    #[test]
    fn nothing_else_is_taken_for_it() {
        for authorization in [
            b"".to_vec(),
            b"Bearer".to_vec(),
            b"Bearer ".to_vec(),
            b"Basic ".to_vec(),
            b"Basic !!!".to_vec(),
            SECRET.as_bytes().to_vec(),
            format!("Bearer {}", &SECRET[..SECRET.len() - 1]).into_bytes(),
            format!("Bearer {SECRET}x").into_bytes(),
            format!("Digest {SECRET}").into_bytes(),
            b"Bearer \xff\x00".to_vec(),
            basic(SECRET), // The part before its colon is taken for the user name.
            basic(&format!("{SECRET}:")),
            basic(&format!("me:{SECRET} ")),
            basic("no colon"),
        ] {
            assert_eq!(
                token().check(&authorization),
                Shown::Wrong,
                "{}",
                authorization.escape_ascii()
            );
        }
    }

    #[test]
    fn what_is_no_file_is_refused_at_once_and_a_pipe_of_our_own_is_read() {
        use std::os::fd::AsRawFd;

        let directory = std::env::temp_dir().join(format!("pinhole-token-pipe-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let pipe = directory.join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        for path in [
            pipe.as_path(),
            &directory,
            "/dev/zero".as_ref(),
            "/dev/null".as_ref(),
        ] {
            let error = Token::read(path).unwrap_err().to_string();
            let expected = format!("can't read the access token {}: it is not a file", path.display());
            assert_eq!(error, expected);
        }
        fs::remove_dir_all(&directory).unwrap();
        let (reader, writer) = io::pipe().unwrap();
        io::Write::write_all(&mut &writer, SECRET.as_bytes()).unwrap();
        drop(writer);
        let path = format!("/dev/fd/{}", reader.as_raw_fd());
        assert_eq!(Token::read(path.as_ref()).unwrap(), token());
    }

    #[test]
    fn a_file_must_be_there_and_private_and_hold_a_token() {
        let directory = std::env::temp_dir().join(format!("pinhole-token-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let path = directory.join("token");
        let shown = path.display().to_string();
        let put = |text: &[u8], mode| {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            Token::read(&path)
        };
        assert_eq!(put(format!("{SECRET}\n").as_bytes(), 0o640).unwrap(), token());
        for (text, mode, says) in [
            (SECRET.as_bytes(), 0o644, "chmod o= "),
            (SECRET.as_bytes(), 0o602, "chmod o= "),
            (b"\n", 0o600, "it is empty"),
            (b"\xff\xfe12345678", 0o600, "can't read"),
            (&[b'x'; 10_000], 0o600, "it has 4096 characters"),
        ] {
            let error = put(text, mode).unwrap_err().to_string();
            assert!(error.contains(says) && error.contains(&shown), "{error}");
            assert!(!error.contains("horse"), "{error}");
        }
        fs::remove_dir_all(&directory).unwrap();
        let credential = Path::new("/run/credentials/no-such.service/pinhole.token");
        let error = Token::read(credential).unwrap_err().to_string();
        assert!(error.contains("/etc/credstore"), "{error}");
        let error = Token::read(&path).unwrap_err().to_string();
        assert!(
            error.contains("No such file") && error.contains(&shown),
            "{error}"
        );
    }
}
