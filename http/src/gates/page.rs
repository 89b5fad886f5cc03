//! Whose page makes a browser ask. A browser lets every page send requests to every server; that the page may not see the answer
//! is no comfort where asking is signing in. So only this server's own page may, and those that the configuration names.

use std::fmt::Write as _;

use hyper::StatusCode;
use hyper::header::{HOST, HeaderMap, HeaderName, ORIGIN};

use super::caller::Caller;
use super::origin::{AllowedOrigin, Origin};
use super::refusal::Refusal;

/// What a browser says of the page, where it trusts the connection: TLS, or localhost
/// (<https://www.w3.org/TR/fetch-metadata/>). No page can say it itself.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// The host that the browser asked a proxy for. A page from elsewhere can't say it without being asked for its origin
/// before.
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

#[derive(Debug)]
pub(super) struct PageGate {
    allowed: Vec<AllowedOrigin>,
    section: &'static str,
}

impl PageGate {
    pub(super) fn new(allowed: Vec<AllowedOrigin>, section: &'static str) -> PageGate {
        PageGate { allowed, section }
    }

    /// Who asks. A stranger may only follow a link to a document.
    ///
    /// # Errors
    /// It is a page that may not.
    pub(super) fn caller(&self, headers: &HeaderMap, is_document: bool) -> Result<Caller, Refusal> {
        let site = headers.get(SEC_FETCH_SITE);
        let is_foreign_by_site = site.is_some_and(|site| site != "same-origin" && site != "none");
        let Some(origin) = headers.get(ORIGIN) else {
            return match (is_foreign_by_site, headers.contains_key(HOST)) {
                (true, _) if is_document => Ok(Caller::Stranger),
                (true, _) => Err(self.refuse(None)),
                (false, true) => Ok(Caller::Unnamed),
                (false, false) => Ok(Caller::Program),
            };
        };
        let parsed = origin.to_str().ok().and_then(Origin::parse);
        let hosts = [headers.get(HOST), headers.get(FORWARDED_HOST)];
        let is_at_host = || {
            let origin = parsed.as_ref();
            origin.is_some_and(|origin| hosts.into_iter().flatten().any(|host| origin.is_of(host)))
        };
        // Where the browser tells, it knows better than any comparison: a proxy need not pass the host on.
        if site.map_or_else(is_at_host, |_| !is_foreign_by_site) {
            return Ok(Caller::Own);
        }
        if self.is_allowed(parsed.as_ref()) {
            return Ok(Caller::Guest(origin.clone()));
        }
        Err(self.refuse(parsed.as_ref()))
    }

    fn is_allowed(&self, origin: Option<&Origin>) -> bool {
        self.allowed.iter().any(|allowed| match allowed {
            AllowedOrigin::Every => true,
            AllowedOrigin::One(allowed) => origin.is_some_and(|origin| {
                allowed.split_once("://") == Some((origin.scheme.as_str(), origin.authority.as_str()))
            }),
        })
    }

    fn refuse(&self, origin: Option<&Origin>) -> Refusal {
        let section = self.section;
        let sentence = match origin {
            Some(Origin { scheme, authority }) => format!(
                "A page of {scheme}://{authority} may not use this server. If it shall, add allow_origins = \
                 [\"{scheme}://{authority}\"] under {section}."
            ),
            None => format!(
                "A page from elsewhere may not use this server. Which may is said by `allow_origins` under {section}."
            ),
        };
        tracing::debug!("{sentence}");
        Refusal {
            caller: Caller::Stranger,
            ..Refusal::new(StatusCode::FORBIDDEN, sentence)
        }
    }

    pub(super) fn frame_ancestors(&self, own: &str) -> String {
        let mut sources = own.to_owned();
        for allowed in &self.allowed {
            match allowed {
                AllowedOrigin::Every => return "*".to_owned(),
                // 'none' stands alone or not at all.
                AllowedOrigin::One(origin) if sources == "'none'" => sources.clone_from(origin),
                // Writing to memory does not fail.
                AllowedOrigin::One(origin) => drop(write!(sources, " {origin}")),
            }
        }
        sources
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn gate(allowed: &[&str]) -> PageGate {
        let allowed = allowed.iter().map(|origin| origin.parse().unwrap());
        PageGate::new(allowed.collect(), "[access] in server.toml")
    }

    fn caller(gate: &PageGate, lines: &[(&'static str, &str)], is_document: bool) -> Result<Caller, Refusal> {
        let lines = lines.iter();
        let headers: HeaderMap = lines
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap()))
            .collect();
        gate.caller(&headers, is_document)
    }

    #[test]
    fn a_page_from_elsewhere_is_told_by_what_the_browser_says() {
        let (program, unnamed, own) = (Some(Caller::Program), Some(Caller::Unnamed), Some(Caller::Own));
        for (lines, expected) in [
            (&[][..], program),
            (&[("host", "porch")], unnamed.clone()),
            (
                &[("host", "porch"), ("sec-fetch-site", "same-origin")],
                unnamed.clone(),
            ),
            (&[("host", "porch"), ("sec-fetch-site", "none")], unnamed),
            (&[("host", "porch"), ("sec-fetch-site", "same-site")], None),
            (&[("host", "porch"), ("sec-fetch-site", "cross-site")], None),
            // A proxy that does not pass the host on must not matter where the browser tells better.
            (
                &[
                    ("sec-fetch-site", "same-origin"),
                    ("origin", "https://a"),
                    ("host", "127.0.0.1"),
                ],
                own.clone(),
            ),
            (
                &[
                    ("sec-fetch-site", "same-site"),
                    ("origin", "http://porch"),
                    ("host", "porch"),
                ],
                None,
            ),
            (
                &[("origin", "http://porch:8888"), ("host", "Porch:8888")],
                own.clone(),
            ),
            (
                &[("origin", "http://[::1]:8888"), ("host", "[::1]:8888")],
                own.clone(),
            ),
            // A proxy that speaks TLS.
            (
                &[("origin", "https://porch.example"), ("host", "porch.example")],
                own.clone(),
            ),
            (
                &[("origin", "https://porch.example"), ("host", "porch.example:443")],
                own.clone(),
            ),
            (&[("origin", "http://porch"), ("host", "porch:80")], own.clone()),
            (
                &[
                    ("origin", "https://porch.example"),
                    ("host", "127.0.0.1:8888"),
                    ("x-forwarded-host", "porch.example, inner"),
                ],
                own,
            ),
            (&[("origin", "http://porch"), ("host", "porch:8888")], None),
            (&[("origin", "https://porch"), ("host", "porch:80")], None),
            (&[("origin", "http://evil.example"), ("host", "porch:8888")], None),
            (
                &[
                    ("origin", "http://evil.example"),
                    ("host", "porch:8888"),
                    ("x-forwarded-host", "porch"),
                ],
                None,
            ),
            (&[("origin", "null"), ("host", "porch:8888")], None),
            (&[("origin", ""), ("host", "")], None),
            (&[("origin", "http://porch:8888")], None),
        ] {
            assert_eq!(caller(&gate(&[]), lines, false).ok(), expected, "{lines:?}");
        }
    }

    #[test]
    fn a_link_from_anywhere_leads_to_documents() {
        let lines = [("host", "porch"), ("sec-fetch-site", "cross-site")];
        assert_eq!(caller(&gate(&[]), &lines, true).unwrap(), Caller::Stranger);
        // A link has no origin.
        let lines = [("host", "porch"), ("origin", "http://evil.example")];
        assert!(caller(&gate(&[]), &lines, true).is_err());
    }

    #[test]
    fn a_refusal_says_what_would_allow_the_page() {
        let lines = [("origin", "HTTPS://Evil.example:8123"), ("host", "porch")];
        let refusal = caller(&gate(&["https://home.example"]), &lines, false).unwrap_err();
        assert_eq!(refusal.status, StatusCode::FORBIDDEN);
        assert_eq!(
            refusal.sentence,
            "A page of https://evil.example:8123 may not use this server. If it shall, add allow_origins = \
             [\"https://evil.example:8123\"] under [access] in server.toml."
        );
        let lines = [("origin", "null"), ("host", "porch")];
        let refusal = caller(&gate(&[]), &lines, false).unwrap_err();
        assert!(
            refusal
                .sentence
                .contains("`allow_origins` under [access] in server.toml"),
            "{refusal:?}"
        );
    }

    #[test]
    fn the_configuration_allows_pages_by_their_origin() {
        let named = gate(&["https://home.example:443", "http://[2001:db8::1]:8123"]);
        let every = gate(&["*"]);
        for (origin, by_name) in [
            ("https://home.example", true),
            ("http://[2001:db8::1]:8123", true),
            ("http://home.example", false),
            ("https://home.example:8443", false),
            ("https://www.home.example", false),
            ("null", false),
        ] {
            let lines = [("origin", origin), ("host", "porch")];
            let guest = Caller::Guest(HeaderValue::from_str(origin).unwrap());
            assert_eq!(caller(&named, &lines, false).is_ok(), by_name, "{origin}");
            assert_eq!(caller(&every, &lines, false).unwrap(), guest);
            let lines = [lines[0], lines[1], ("sec-fetch-site", "cross-site")];
            assert_eq!(caller(&named, &lines, false).is_ok(), by_name, "{origin}");
        }
    }

    #[test]
    fn what_is_allowed_may_show_the_page_in_a_frame() {
        assert_eq!(gate(&[]).frame_ancestors("'self'"), "'self'");
        let two = gate(&["https://a", "http://b:1"]);
        assert_eq!(two.frame_ancestors("'self'"), "'self' https://a http://b:1");
        assert_eq!(two.frame_ancestors("'none'"), "https://a http://b:1");
        assert_eq!(gate(&["https://a", "*"]).frame_ancestors("'none'"), "*");
    }
}
