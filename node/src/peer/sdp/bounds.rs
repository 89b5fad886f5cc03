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
    /// Without candidates.
    pub(super) sdp: String,
    /// The candidate lines, without `a=`.
    pub(super) candidates: Vec<String>,
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
            candidates: Vec::new(),
        };
        let (mut lines, mut sections) = (0, 0);
        for ended in sdp.split_inclusive('\n') {
            let line = ended.trim_end();
            lines += 1;
            within(lines, LINES, "lines")?;
            if let Some(section) = line.strip_prefix("m=") {
                sections += 1;
                within(sections, SECTIONS, "media sections")?;
                // Media, port and transport come first.
                let formats = section.split_whitespace().count().saturating_sub(3);
                within(formats, FORMATS, "payload types in a section")?;
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
                bounded.candidates.push(line["a=".len()..].to_owned());
            } else {
                bounded.sdp.push_str(ended);
            }
        }
        Ok(bounded)
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
            assert_eq!(bounded.sdp.len(), BROWSER.len() * times, "nothing is lost");
        }
    }

    #[test]
    fn candidates_are_told_apart_from_the_rest() {
        let sdp = "v=0\r\nm=audio 9 RTP/AVP 0\r\na=candidate:1 1 udp 1 192.0.2.1 5000 typ host\r\na=mid:0\r\n\
            a=candidate:2 1 udp 1 192.0.2.2 5000 typ host\n";
        let bounded = Bounded::read(sdp).expect("small");
        assert_eq!(bounded.sdp, "v=0\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\n");
        let expected = [
            "candidate:1 1 udp 1 192.0.2.1 5000 typ host",
            "candidate:2 1 udp 1 192.0.2.2 5000 typ host",
        ];
        assert_eq!(bounded.candidates, expected);
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
