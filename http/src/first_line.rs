//! Mends the first line of a request.
//!
//! The stock client sends names raw: `GET /sign_in?John Smith@호스트 HTTP/1.0`, in whatever encoding its system has.
//! No HTTP parser takes that. Here the bytes that may not stand in a target become `%XX`; all else passes as it is.

/// What a line has besides the target: a method and a version around it.
const AROUND: usize = 64;

/// What stands for a request whose line is too long, for a parser that must have one.
const STAND_IN: &[u8] = b"GET / HTTP/1.0\r\n\r\n";

/// Collects the bytes up to the end of the first line.
#[derive(Debug)]
pub(crate) struct FirstLine {
    collected: Vec<u8>,
    /// How long the line can be.
    longest: usize,
}

/// What came of the bytes so far.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// The line's end has not come.
    More,
    /// The line, mended, and all that came after it.
    Mended(Vec<u8>),
    /// The line is too long. These bytes stand for it.
    TooLong(&'static [u8]),
}

impl FirstLine {
    /// A line with a target of at most so many bytes.
    pub(crate) fn new(target_bytes: usize) -> FirstLine {
        FirstLine {
            collected: Vec::new(),
            longest: target_bytes + AROUND,
        }
    }

    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Progress {
        self.collected.extend_from_slice(bytes);
        // Empty lines before the request line are to be passed over (RFC 9112, 2.2).
        let start = self
            .collected
            .iter()
            .position(|byte| !matches!(byte, b'\r' | b'\n'));
        let start = start.unwrap_or(self.collected.len());
        let line = &self.collected[start..];
        let end = line.iter().position(|&byte| byte == b'\n');
        if end.unwrap_or(line.len()) > self.longest || start > self.longest {
            self.collected = Vec::new();
            return Progress::TooLong(STAND_IN);
        }
        let Some(end) = end else {
            return Progress::More;
        };
        let mut mended = mend(&line[..end]);
        mended.extend_from_slice(&line[end..]);
        self.collected = Vec::new();
        Progress::Mended(mended)
    }

    /// What was collected, when no more will come.
    pub(crate) fn take_rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.collected)
    }
}

/// The target is what is between the first space and the last one; a line of another shape stays as it is.
fn mend(line: &[u8]) -> Vec<u8> {
    let is_space = |byte: &u8| *byte == b' ';
    let (Some(first), Some(last)) = (line.iter().position(is_space), line.iter().rposition(is_space)) else {
        return line.to_vec();
    };
    if first == last || !line[last + 1..].starts_with(b"HTTP/") {
        return line.to_vec();
    }
    let mut mended = line[..=first].to_vec();
    for &byte in &line[first + 1..last] {
        // What may stand in a path or a query (RFC 3986), and `%`, which is an escape already.
        if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?%".contains(&byte) {
            mended.push(byte);
        } else {
            mended.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
    mended.extend_from_slice(&line[last..]);
    mended
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: usize = 4096;
    const LINE: usize = TARGET + AROUND;

    fn mended(line: &[u8]) -> String {
        match FirstLine::new(TARGET).feed(line) {
            Progress::Mended(bytes) => String::from_utf8(bytes).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn raw_names_are_encoded() {
        for (line, expected) in [
            (
                "GET /sign_in?John Smith@pc HTTP/1.0\r\n",
                "GET /sign_in?John%20Smith@pc HTTP/1.0\r\n",
            ),
            (
                "GET /sign_in?가 HTTP/1.0\r\n",
                "GET /sign_in?%EA%B0%80 HTTP/1.0\r\n",
            ),
            (
                "GET /sign_in?a HTTP/1.0 b HTTP/1.0\r\n",
                "GET /sign_in?a%20HTTP/1.0%20b HTTP/1.0\r\n",
            ),
            (
                "GET /sign_in?a#b\"<>\t HTTP/1.0\r\n",
                "GET /sign_in?a%23b%22%3C%3E%09 HTTP/1.0\r\n",
            ),
        ] {
            assert_eq!(mended(line.as_bytes()), expected);
        }
        assert_eq!(
            mended(b"GET /sign_in?\xff\x00 HTTP/1.0\n"),
            "GET /sign_in?%FF%00 HTTP/1.0\n"
        );
    }

    #[test]
    fn what_is_right_or_beyond_mending_passes_as_it_is() {
        for text in [
            "GET /sign_in?a%20b+c@d HTTP/1.1\r\nHost: x\r\n\r\n",
            "POST /message?peer_id=1&to=2 HTTP/1.0\r\nContent-Length: 1\r\n\r\n\u{0}",
            "GET /\r\n",
            "nonsense\n",
            "a b c d\n",
            " \n",
        ] {
            assert_eq!(mended(text.as_bytes()), text);
        }
    }

    #[test]
    fn a_line_may_come_byte_by_byte_and_after_empty_lines() {
        let mut first_line = FirstLine::new(TARGET);
        let (last, rest) = b"\r\n\r\nGET /a b HTTP/1.0\r\n".split_last().unwrap();
        for byte in rest {
            assert_eq!(first_line.feed(&[*byte]), Progress::More);
        }
        assert_eq!(
            first_line.feed(&[*last]),
            Progress::Mended(b"GET /a%20b HTTP/1.0\r\n".to_vec())
        );
    }

    #[test]
    fn an_endless_line_is_given_up() {
        let mut first_line = FirstLine::new(TARGET);
        let chunk = [b'x'; 1024];
        let fed = (1..).find(|_| first_line.feed(&chunk) != Progress::More).unwrap();
        assert_eq!(fed, LINE / 1024 + 1);
        assert_eq!(
            FirstLine::new(TARGET).feed(&[b'\n'; LINE + 1]),
            Progress::TooLong(STAND_IN)
        );
        let ended = [&[b'x'; LINE + 1][..], b"\n"].concat();
        assert_eq!(FirstLine::new(TARGET).feed(&ended), Progress::TooLong(STAND_IN));
    }
}
