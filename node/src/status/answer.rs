//! From a request to its answer.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    header::{
        ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderName, HeaderValue,
        REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    },
};

use super::{
    Sources, Verdict,
    metrics::{self, Process},
    page,
};

/// What every answer says. A page from elsewhere must not read or frame it.
const HEADERS: [(HeaderName, &str); 4] = [
    (CACHE_CONTROL, "no-store"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

/// What all requests share.
#[derive(Clone, Debug)]
pub(super) struct Office {
    sources: Sources,
    /// Reachable from this machine only.
    is_local: bool,
}

impl Office {
    pub(super) fn new(sources: Sources, listening: SocketAddr) -> Self {
        Self {
            sources,
            is_local: listening.ip().is_loopback(),
        }
    }

    /// The answer to any request; its body, should it have one, is not looked at.
    pub(super) async fn answer<B>(&self, request: Request<B>) -> Response<Full<Bytes>> {
        // A page from elsewhere whose name was made to lead to this machine (DNS rebinding) gives itself away by that
        // name. Where everybody of the network may ask anyway there is nothing to guard.
        if self.is_local && !is_of_this_machine(request.headers()) {
            let sentence = "The status is for this machine: ask for it as localhost or by an IP address.\n";
            return answer(StatusCode::MISDIRECTED_REQUEST, TEXT, sentence);
        }
        let path = request.uri().path();
        if !matches!(path, "/" | "/status.json" | "/health" | "/metrics") {
            let sentence = "There is nothing here. The page is at /; for machines there are /health, /metrics \
                            and /status.json.\n";
            return answer(StatusCode::NOT_FOUND, TEXT, sentence);
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let sentence = "Here only GET and HEAD are allowed.\n";
            let mut refusal = answer(StatusCode::METHOD_NOT_ALLOWED, TEXT, sentence);
            let allowed = HeaderValue::from_static("GET, HEAD");
            refusal.headers_mut().insert(ALLOW, allowed);
            return refusal;
        }
        match path {
            "/" => page(),
            "/status.json" => {
                let snapshot = self.sources.snapshot().await;
                let json = serde_json::to_string(&snapshot);
                answer(StatusCode::OK, JSON, json.unwrap_or_default())
            }
            "/health" => self.health(request.uri().query() == Some("strict")).await,
            _ => {
                let content_type = if is_browser(request.headers()) {
                    TEXT
                } else {
                    metrics::CONTENT_TYPE
                };
                let text = metrics::metrics(self.sources.snapshot().await, Process::now());
                answer(StatusCode::OK, content_type, text)
            }
        }
    }

    async fn health(&self, strict: bool) -> Response<Full<Bytes>> {
        let health = self.sources.snapshot().await.health;
        let status = match health.status {
            Verdict::Ok => StatusCode::OK,
            Verdict::Degraded if !strict => StatusCode::OK,
            Verdict::Degraded | Verdict::Failing => StatusCode::SERVICE_UNAVAILABLE,
        };
        answer(status, JSON, serde_json::to_string(&health).unwrap_or_default())
    }
}

/// The page, whose one script and one style are allowed by a number that is another one each time.
fn page() -> Response<Full<Bytes>> {
    let nonce = format!("{:032x}", rand::random::<u128>());
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; \
         img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let mut response = answer(StatusCode::OK, HTML, page::with_nonce(&nonce));
    if let Ok(policy) = HeaderValue::try_from(policy) {
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}

fn answer(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Whether the request names this machine in a way that nobody else can make a name of theirs mean: by an address, or
/// as `localhost` (RFC 6761, section 6.3). Who names no host is no browser.
fn is_of_this_machine(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(HOST) else {
        return true;
    };
    let Ok(host) = host.to_str() else { return false };
    let (name, rest) = match host.strip_prefix('[') {
        Some(bracketed) => bracketed.split_once(']').unwrap_or_default(),
        None => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    if !rest.is_empty() && !rest.starts_with(':') {
        return false;
    }
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost") || name.parse::<IpAddr>().is_ok()
}

/// A person's browser would save OpenMetrics to a file instead of showing it.
fn is_browser(headers: &HeaderMap) -> bool {
    let accepts = |kind: &str| {
        headers
            .get_all(ACCEPT)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .any(|value| value.contains(kind))
    };
    accepts("text/html") && !accepts("application/openmetrics-text")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_nobody_else_can_own_are_of_this_machine() {
        let with_host = |host: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, HeaderValue::from_static(host));
            is_of_this_machine(&headers)
        };
        for host in [
            "localhost",
            "LOCALHOST:8889",
            "localhost.:8889",
            "porch.localhost:1",
            "127.0.0.1:8889",
            "[::1]:8889",
            "[::1]",
        ] {
            assert!(with_host(host), "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example:8889",
            "notlocalhost",
            "127.0.0.1.evil.example",
            "[::1].evil.example:80]",
            "",
            "[",
        ] {
            assert!(!with_host(host), "{host}");
        }
        assert!(is_of_this_machine(&HeaderMap::new()), "HTTP/1.0");
    }
}
