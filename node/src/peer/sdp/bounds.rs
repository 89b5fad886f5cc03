//! How large a viewer's description may be. Looked at before any parser, so that none is given more than it can read at once.

/// A browser's offer with all of its codecs is a fifth of it.
const BYTES: usize = 32 * 1024;
/// A browser's offer has 200.
const LINES: usize = 1000;
/// We send one picture and one sound, and have one data channel; the rest is for programs that offer what they don't use.
const SECTIONS: usize = 16;
/// A payload type is a number of seven bits (RFC 3550, section 5.1).
const FORMATS: usize = 128;
/// The longest user name fragment and the longest password (RFC 8839, section 5.4). Each check carries the fragment.
const CREDENTIAL: usize = 256;

const CANDIDATE: &str = "a=candidate:";
/// The kinds of media that the parser knows. Others may be registered at any time (RFC 8866, section 8.2.2), and are no mistake.
const KINDS: [&str; 6] = ["audio", "video", "text", "application", "message", "image"];
/// What a section of another kind is called for the parser; it is one of [`KINDS`] that we have no use for either.
const STRANGE: &str = "message";

/// A description is larger than anybody needs.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the session description has more than {most} {what}")]
pub(in crate::peer) struct TooMuch {
    most: usize,
    what: &'static str,
}

/// A description within the bounds, its candidates apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Bounded {
    /// For the parser: without candidates, and without kinds of media that it does not know.
    pub(super) sdp: String,
    /// The kind of each section, as the description has it.
    pub(super) kinds: Vec<String>,
    /// The candidate lines, without `a=`, each with the number of its section.
    pub(super) candidates: Vec<(usize, String)>,
}

impl Bounded {
    /// Looks a description over.
    ///
    /// # Errors
    /// It is larger than anybody needs.
    pub(super) fn read(sdp: &str) -> Result<Self, TooMuch> {
        within(sdp.len(), BYTES, "bytes")?;
        let mut bounded = Self {
            sdp: String::with_capacity(sdp.len()),
            kinds: Vec::new(),
            candidates: Vec::new(),
        };
        let mut lines = 0;
        for ended in sdp.split_inclusive('\n') {
            // The core's reader passes over these, and would read lines that were not looked at here.
            let ended = ended.trim_start_matches('\r');
            let line = ended.trim_end();
            lines += 1;
            within(lines, LINES, "lines")?;
            if let Some(section) = line.strip_prefix("m=") {
                bounded.section(section)?;
                continue;
            }
            let credential = line
                .strip_prefix("a=ice-ufrag:")
                .or_else(|| line.strip_prefix("a=ice-pwd:"));
            within(
                credential.map_or(0, str::len),
                CREDENTIAL,
                "characters in an ICE credential",
            )?;
            if line.starts_with(CANDIDATE) {
                let section = bounded.kinds.len().saturating_sub(1);
                bounded.candidates.push((section, line["a=".len()..].to_owned()));
            } else {
                bounded.sdp.push_str(ended);
            }
        }
        Ok(bounded)
    }

    /// Takes the first line of a section, without `m=`.
    fn section(&mut self, line: &str) -> Result<(), TooMuch> {
        within(self.kinds.len() + 1, SECTIONS, "media sections")?;
        // Media, port and transport come first.
        let formats = line.split_whitespace().count().saturating_sub(3);
        within(formats, FORMATS, "payload types in a section")?;
        let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
        let known = if kind.is_empty() || KINDS.contains(&kind) {
            kind
        } else {
            STRANGE
        };
        for part in ["m=", known, " ", rest, "\r\n"] {
            self.sdp.push_str(part);
        }
        self.kinds.push(kind.to_owned());
        Ok(())
    }
}

fn within(count: usize, most: usize, what: &'static str) -> Result<(), TooMuch> {
    if count > most {
        return Err(TooMuch { most, what });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BROWSER: &str = include_str!("../session/browser-offer.sdp");

    fn refused(sdp: &str) -> String {
        Bounded::read(sdp).expect_err("it is too much").to_string()
    }

    #[test]
    fn what_a_browser_offers_is_far_within_the_bounds() {
        for times in 1..=4 {
            let bounded = Bounded::read(&BROWSER.repeat(times)).expect("it is no more than others have");
            // Two of its lines begin sections, whose ends are made those of the standard.
            assert_eq!(
                bounded.sdp.replace("\r\n", "\n"),
                BROWSER.repeat(times),
                "nothing is lost"
            );
        }
    }

    #[test]
    fn candidates_are_told_apart_from_the_rest() {
        let sdp = "v=0\r\nm=audio 9 RTP/AVP 0\r\na=candidate:1 1 udp 1 192.0.2.1 5000 typ host\r\na=mid:0\r\n\
            a=candidate:2 1 udp 1 192.0.2.2 5000 typ host\n";
        let bounded = Bounded::read(sdp).expect("small");
        assert_eq!(bounded.sdp, "v=0\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\n");
        let expected = [
            (0, "candidate:1 1 udp 1 192.0.2.1 5000 typ host".to_owned()),
            (0, "candidate:2 1 udp 1 192.0.2.2 5000 typ host".to_owned()),
        ];
        assert_eq!(bounded.candidates, expected);
        assert_eq!(bounded.kinds, ["audio"]);
    }

    #[test]
    fn kinds_that_the_parser_does_not_know_are_kept_from_it() {
        let bounded = Bounded::read("m=haptics 9 RTP/AVP 96\nm=video 9 RTP/AVP 97\n").expect("small");
        assert_eq!(bounded.sdp, "m=message 9 RTP/AVP 96\r\nm=video 9 RTP/AVP 97\r\n");
        assert_eq!(bounded.kinds, ["haptics", "video"]);
    }

    #[test]
    fn what_is_larger_than_anybody_needs_is_refused_with_the_reason() {
        for (sdp, reason) in [
            ("x".repeat(BYTES + 1), "more than 32768 bytes"),
            ("a=x\r\n".repeat(LINES + 1), "more than 1000 lines"),
            (
                "m=x 9 y 0\r\n".repeat(SECTIONS + 1),
                "more than 16 media sections",
            ),
            (
                format!("m=audio 9 RTP/AVP{}\r\n", " 0".repeat(FORMATS + 1)),
                "more than 128 payload types in a section",
            ),
            (
                format!("a=ice-ufrag:{}\r\n", "x".repeat(CREDENTIAL + 1)),
                "more than 256 characters in an ICE credential",
            ),
            (
                format!("a=ice-pwd:{}\r\n", "x".repeat(CREDENTIAL + 1)),
                "more than 256 characters in an ICE credential",
            ),
        ] {
            assert!(refused(&sdp).contains(reason), "{}", refused(&sdp));
        }
    }
}
