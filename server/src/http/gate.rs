//! Who may come in: whoever shows the access token, where there is one.
//!
//! Every path wants it, the page included. Only `OPTIONS` passes without: a browser asks beforehand (CORS preflight)
//! without any credentials, and the answer tells nothing but which headers may be sent.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, HOST, HeaderMap, HeaderValue, ORIGIN, WWW_AUTHENTICATE};
use pinhole_signaling::Token;
use pinhole_signaling::token::Shown;
use tokio::time::Instant;

use super::answer::{self, Response};

/// Makes a browser ask a person; the user name is of no account.
const CHALLENGE: &str = "Basic realm=\"pinhole\", charset=\"UTF-8\"";
/// An address that shows wrong tokens is in the log once in this time.
const SILENCE: Duration = Duration::from_secs(600);
/// The most addresses that are in the log in that time; those beyond are not.
const SUSPECTS: usize = 64;

#[derive(Debug)]
pub(super) struct Gate {
    token: Option<Token>,
    suspects: Mutex<Suspects>,
}

impl Gate {
    pub(super) fn new(token: Option<Token>) -> Gate {
        Gate {
            token,
            suspects: Mutex::default(),
        }
    }

    /// Whether it wants this token, or none where there is none.
    pub(super) fn is_for(&self, token: Option<&Token>) -> bool {
        self.token.as_ref() == token
    }

    /// The answer to a request that may not pass. `is_page`: it is for a file of the page, which does nothing.
    pub(super) fn refusal(&self, headers: &HeaderMap, from: IpAddr, is_page: bool) -> Option<Response> {
        let token = self.token.as_ref()?;
        let Some(authorization) = headers.get(AUTHORIZATION) else {
            tracing::debug!("a request without the access token");
            return Some(unauthorized(
                "This server wants its access token: in a browser as the password, with any user name; elsewhere as the \
                 header Authorization: Bearer TOKEN.",
            ));
        };
        match token.check(authorization.as_bytes()) {
            Shown::Bearer => None,
            Shown::Basic if is_page || !is_from_elsewhere(headers) => None,
            Shown::Basic => Some(answer::error(
                StatusCode::FORBIDDEN,
                "A page from elsewhere can't use what the browser has kept; it has to send Authorization: Bearer TOKEN.",
            )),
            Shown::Wrong => {
                let mut suspects = self.suspects.lock().unwrap_or_else(PoisonError::into_inner);
                if suspects.is_news(from, Instant::now()) {
                    let minutes = SILENCE.as_secs() / 60;
                    tracing::warn!(
                        "a wrong access token came from {from}; more of them from there are not logged for {minutes} min"
                    );
                }
                Some(unauthorized("This is not the access token of this server."))
            }
        }
    }
}

fn unauthorized(sentence: &'static str) -> Response {
    let mut response = answer::error(StatusCode::UNAUTHORIZED, sentence);
    response
        .headers_mut()
        .insert(WWW_AUTHENTICATE, HeaderValue::from_static(CHALLENGE));
    response
}

/// Whether a page of another origin made the browser send this: that page does not know the token, but the browser
/// adds it all the same. Browsers tell by `Sec-Fetch-Site` where they trust the connection (TLS, localhost), elsewhere
/// by `Origin`, except for a plain `GET` (<https://www.w3.org/TR/fetch-metadata/>,
/// <https://fetch.spec.whatwg.org/#origin-header>).
fn is_from_elsewhere(headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site != "same-origin" && site != "none";
    }
    let Some(origin) = headers.get(ORIGIN) else {
        return false;
    };
    let authority = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    match (authority, headers.get(HOST)) {
        (Some((_, origin)), Some(host)) => !host.as_bytes().eq_ignore_ascii_case(origin.as_bytes()),
        _ => true,
    }
}

/// Addresses that have shown wrong tokens, and when that was said.
#[derive(Debug, Default)]
struct Suspects(HashMap<IpAddr, Instant>);

impl Suspects {
    /// Whether this is to be said; then it counts as said.
    fn is_news(&mut self, from: IpAddr, now: Instant) -> bool {
        let from = match from {
            // One machine has a whole /64 to choose from.
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
            IpAddr::V4(_) => from,
        };
        self.0.retain(|_, said| now.duration_since(*said) < SILENCE);
        if self.0.len() >= SUSPECTS || self.0.contains_key(&from) {
            return false;
        }
        self.0.insert(from, now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let lines = lines.iter();
        lines
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn a_page_from_elsewhere_is_told_by_what_the_browser_says() {
        for (lines, elsewhere) in [
            (&[][..], false),
            (&[("sec-fetch-site", "same-origin")], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("sec-fetch-site", "same-site")], true),
            (&[("sec-fetch-site", "cross-site")], true),
            // A proxy that does not pass the host on must not matter where the browser tells better.
            (
                &[
                    ("sec-fetch-site", "same-origin"),
                    ("origin", "https://a"),
                    ("host", "127.0.0.1"),
                ],
                false,
            ),
            (&[("origin", "http://porch:8888"), ("host", "Porch:8888")], false),
            (&[("origin", "http://[::1]:8888"), ("host", "[::1]:8888")], false),
            (&[("origin", "http://porch"), ("host", "porch:8888")], true),
            (&[("origin", "http://evil.example"), ("host", "porch:8888")], true),
            (&[("origin", "null"), ("host", "porch:8888")], true),
            (&[("origin", "http://porch:8888")], true),
        ] {
            assert_eq!(is_from_elsewhere(&headers(lines)), elsewhere, "{lines:?}");
        }
    }

    #[test]
    fn an_address_is_news_once_in_a_while() {
        let mut suspects = Suspects::default();
        let (start, one) = (Instant::now(), "192.0.2.1".parse().unwrap());
        assert!(suspects.is_news(one, start));
        assert!(!suspects.is_news(one, start + SILENCE / 2));
        assert!(suspects.is_news("2001:db8::1".parse().unwrap(), start));
        assert!(!suspects.is_news("2001:db8::2".parse().unwrap(), start));
        assert!(suspects.is_news(one, start + SILENCE));
    }

    #[test]
    fn many_addresses_fill_neither_the_log_nor_the_memory() {
        let mut suspects = Suspects::default();
        let now = Instant::now();
        let said =
            (0..10_000).filter(|&number| suspects.is_news(std::net::Ipv4Addr::from_bits(number).into(), now));
        assert_eq!(said.count(), SUSPECTS);
        assert_eq!(suspects.0.len(), SUSPECTS);
    }
}
