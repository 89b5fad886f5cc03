//! Whose page makes a browser ask. A browser lets every page send requests to every server; that the page may not see the answer
//! is no comfort where asking is signing in. So only this server's own page may, and those that the configuration names.

use std::fmt::Write as _;
use std::str::FromStr;

use hyper::StatusCode;
use hyper::header::{HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN};
use serde::{Deserialize, Deserializer, de};

use super::caller::Caller;
use super::host::is_name;
use super::refusal::Refusal;

/// What a browser says of the page, where it trusts the connection: TLS, or localhost
/// (<https://www.w3.org/TR/fetch-metadata/>). No page can say it itself.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// The host that the browser asked a proxy for. A page from elsewhere can't say it without being asked for its origin
/// before.
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// A page from elsewhere that may use a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowedOrigin {
    /// Every page: `"*"`.
    Every,
    /// The pages of one origin (RFC 6454), as a browser writes it.
    One(String),
}

/// What is no origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no origin; write scheme, host and, if it is in the address, the port, as \"https://home.example.org:8123\", or \
     \"*\" for every page there is"
)]
pub struct OriginError(String);

impl FromStr for AllowedOrigin {
    type Err = OriginError;

    fn from_str(written: &str) -> Result<AllowedOrigin, OriginError> {
        if written == "*" {
            return Ok(AllowedOrigin::Every);
        }
        match Origin::parse(written) {
            Some(Origin { scheme, authority }) => Ok(AllowedOrigin::One(format!("{scheme}://{authority}"))),
            None => Err(OriginError(written.to_owned())),
        }
    }
}

impl<'de> Deserialize<'de> for AllowedOrigin {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<AllowedOrigin, D::Error> {
        String::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

/// In lower case, without the scheme's own port.
#[derive(Debug, PartialEq, Eq)]
struct Origin {
    scheme: String,
    authority: String,
}

impl Origin {
    fn parse(written: &str) -> Option<Origin> {
        let (scheme, authority) = written.split_once("://")?;
        let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
        let scheme = scheme.to_ascii_lowercase();
        let authority = without_own_port(&scheme, &authority.to_ascii_lowercase()).to_owned();
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (authority.as_str(), None),
        };
        let is_host = match host
            .strip_prefix('[')
            .and_then(|bracketed| bracketed.strip_suffix(']'))
        {
            Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
            None => is_name(host),
        };
        let is_port = port.is_none_or(|port| port.parse::<u16>().is_ok());
        (is_scheme && is_host && is_port).then_some(Origin { scheme, authority })
    }

    /// Whether it is the one that the browser sees this server at. The scheme is not compared: before the server there
    /// may be a proxy that speaks TLS.
    fn is_of(&self, host: &HeaderValue) -> bool {
        let Ok(host) = host.to_str() else { return false };
        // Of several proxies the first one was asked.
        let host = host.split(',').next().unwrap_or_default().trim();
        without_own_port(&self.scheme, &host.to_ascii_lowercase()) == self.authority
    }
}

fn without_own_port<'a>(scheme: &str, authority: &'a str) -> &'a str {
    let port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return authority,
    };
    authority.strip_suffix(port).unwrap_or(authority)
}

#[derive(Debug)]
pub(super) struct OriginGate {
    allowed: Vec<AllowedOrigin>,
    section: &'static str,
}

impl OriginGate {
    pub(super) fn new(allowed: Vec<AllowedOrigin>, section: &'static str) -> OriginGate {
        OriginGate { allowed, section }
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
    use super::*;

    fn gate(allowed: &[&str]) -> OriginGate {
        let allowed = allowed.iter().map(|origin| origin.parse().unwrap());
        OriginGate::new(allowed.collect(), "[access] in server.toml")
    }

    fn caller(
        gate: &OriginGate,
        lines: &[(&'static str, &str)],
        is_document: bool,
    ) -> Result<Caller, Refusal> {
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

    #[test]
    fn an_origin_in_the_configuration_is_an_origin_alone() {
        for (written, read) in [
            ("https://Home.example:443", "https://home.example"),
            ("http://porch:80", "http://porch"),
            ("http://porch:8123", "http://porch:8123"),
            ("http://[::1]:8123", "http://[::1]:8123"),
            ("capacitor://localhost", "capacitor://localhost"),
        ] {
            assert_eq!(written.parse(), Ok(AllowedOrigin::One(read.into())));
        }
        for wrong in [
            "",
            "null",
            "home.example",
            "https://",
            "https://home.example/",
            "https://home.example/page",
            "https://me@home.example",
            "https://home.example:port",
            "https://*.example",
            "https://a https://b",
            "https://a; script-src *",
            "://a",
        ] {
            let error = wrong.parse::<AllowedOrigin>().unwrap_err().to_string();
            assert!(
                error.contains(&format!("`{wrong}` is no origin"))
                    && error.contains("https://home.example.org:8123"),
                "{error}"
            );
        }
    }
}
