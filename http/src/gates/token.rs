//! Who may come in: whoever shows the access token, where there is one.
//!
//! Every path wants it, a page's files included.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, HeaderMap};
use pinhole_signaling::Token;
use pinhole_signaling::token::Shown;
use tokio::time::Instant;

use super::caller::Caller;
use super::refusal::Refusal;
use crate::Source;

/// Makes a browser ask a person; the user name is of no account.
const CHALLENGE: &str = "Basic realm=\"pinhole\", charset=\"UTF-8\"";
/// An address that shows wrong tokens is in the log once in this time.
const SILENCE: Duration = Duration::from_secs(600);
/// The most addresses that are in the log in that time; those beyond are not.
const SUSPECTS: usize = 64;

#[derive(Debug)]
pub(super) struct TokenGate {
    token: Option<Token>,
    section: &'static str,
    suspects: Mutex<Suspects>,
}

impl TokenGate {
    pub(super) fn new(token: Option<Token>, section: &'static str) -> TokenGate {
        TokenGate {
            token,
            section,
            suspects: Mutex::default(),
        }
    }

    /// What a request is told that may not pass.
    pub(super) fn check(&self, headers: &HeaderMap, from: IpAddr, caller: &Caller) -> Option<Refusal> {
        let token = self.token.as_ref()?;
        let section = self.section;
        let Some(authorization) = headers.get(AUTHORIZATION) else {
            tracing::debug!("a request without the access token");
            return Some(unauthorized(format!(
                "This server wants its access token, which is in the file that `token_file` names under {section}: in a \
                 browser as the password, with any user name; elsewhere as the header Authorization: Bearer TOKEN."
            )));
        };
        match token.check(authorization.as_bytes()) {
            Shown::Bearer => None,
            // The browser adds it to every request, also to those of pages that don't know it. A stranger's has come
            // along a link, which makes nothing known to the stranger.
            Shown::Basic if !matches!(caller, Caller::Guest(_)) => None,
            Shown::Basic => Some(Refusal::new(
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
                Some(unauthorized(format!(
                    "This is not the access token of this server, which is in the file that `token_file` names under \
                     {section}."
                )))
            }
        }
    }
}

/// Makes whoever asks show the token.
fn unauthorized(sentence: String) -> Refusal {
    Refusal {
        challenge: Some(CHALLENGE),
        ..Refusal::new(StatusCode::UNAUTHORIZED, sentence)
    }
}

/// Addresses that have shown wrong tokens, and when that was said.
#[derive(Debug, Default)]
struct Suspects(HashMap<Source, Instant>);

impl Suspects {
    /// Whether this is to be said; then it counts as said.
    fn is_news(&mut self, from: IpAddr, now: Instant) -> bool {
        let from = Source::of(from);
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
    use hyper::header::HeaderValue;

    use super::*;

    /// `anybody:open-sesame`
    const BASIC: &str = "Basic YW55Ym9keTpvcGVuLXNlc2FtZQ==";

    #[test]
    fn a_page_from_elsewhere_has_to_know_the_token_itself() {
        let gate = TokenGate::new(
            Some(Token::new("open-sesame").unwrap()),
            "[access] in server.toml",
        );
        let guest = Caller::Guest(HeaderValue::from_static("https://home.example"));
        for (authorization, caller, expected) in [
            (None, Caller::Program, Some(StatusCode::UNAUTHORIZED)),
            (
                Some("Bearer open-barley"),
                Caller::Own,
                Some(StatusCode::UNAUTHORIZED),
            ),
            (Some("Bearer open-sesame"), Caller::Program, None),
            (Some("Bearer open-sesame"), guest.clone(), None),
            (Some(BASIC), Caller::Program, None),
            (Some(BASIC), Caller::Unnamed, None),
            (Some(BASIC), Caller::Own, None),
            (Some(BASIC), Caller::Stranger, None),
            (Some(BASIC), guest, Some(StatusCode::FORBIDDEN)),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(authorization) = authorization {
                headers.insert(AUTHORIZATION, HeaderValue::from_static(authorization));
            }
            let refusal = gate.check(&headers, IpAddr::from([192, 0, 2, 1]), &caller);
            let status = refusal.as_ref().map(|refusal| refusal.status);
            assert_eq!(status, expected, "{authorization:?} {caller:?}");
            let wants = status == Some(StatusCode::UNAUTHORIZED);
            let asks = refusal
                .as_ref()
                .is_some_and(|refusal| refusal.challenge.is_some());
            assert_eq!(asks, wants);
            let key = "`token_file` names under [access] in server.toml";
            let names_key = refusal.is_some_and(|refusal| refusal.sentence.contains(key));
            assert_eq!(names_key, wants);
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
