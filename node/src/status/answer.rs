//! From a request to its answer.

use std::sync::Arc;

use bytes::Bytes;
use pinhole_http::{
    Access, Answer, Caller, Gates, Method, Refusal, Request, StatusCode,
    header::{
        ACCEPT, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
        ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, ORIGIN,
        REFERRER_POLICY, VARY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
    },
};

use super::{
    Sources, Verdict,
    metrics::{self, Format, Process},
    page,
};

/// Where the keys of the gates stand.
const SECTION: &str = "[http] in node.toml";

/// What every answer says. A page from elsewhere must not read it by the way.
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
const METHODS: &str = "GET, HEAD";

/// What all requests share.
#[derive(Clone, Debug)]
pub(super) struct Office {
    sources: Sources,
    gates: Arc<Gates>,
}

impl Office {
    pub(super) fn new(sources: Sources, access: Access) -> Self {
        Self {
            sources,
            gates: Arc::new(Gates::new(access, SECTION)),
        }
    }

    async fn read(&self, request: &Request) -> Answer {
        let path = request.uri.path();
        if !matches!(path, "/" | "/status.json" | "/health" | "/metrics") {
            let sentence = "There is nothing here. The page is at /; for machines there are /health, /metrics \
                            and /status.json.\n";
            return answer(StatusCode::NOT_FOUND, TEXT, sentence);
        }
        if request.method == Method::OPTIONS && matches!(request.caller, Caller::Guest(_)) {
            // What a page from elsewhere may send, asked by its browser (CORS preflight).
            return answer(StatusCode::OK, TEXT, "")
                .with(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS))
                .with(
                    ACCESS_CONTROL_ALLOW_HEADERS,
                    HeaderValue::from_static("Authorization"),
                );
        }
        if !matches!(request.method, Method::GET | Method::HEAD) {
            let sentence = "Here only GET and HEAD are allowed.\n";
            let refusal = answer(StatusCode::METHOD_NOT_ALLOWED, TEXT, sentence);
            return refusal.with(ALLOW, HeaderValue::from_static(METHODS));
        }
        match path {
            "/" => self.page(),
            "/status.json" => {
                let snapshot = self.sources.snapshot().await;
                let json = serde_json::to_string(&snapshot);
                answer(StatusCode::OK, JSON, json.unwrap_or_default())
            }
            "/health" => self.health(request.uri.query() == Some("strict")).await,
            _ => {
                let format = Format::wanted(&request.headers);
                let text = metrics::metrics(self.sources.snapshot().await, Process::now(), format);
                answer(StatusCode::OK, format.content_type(), text).with(VARY, HeaderValue::from_name(ACCEPT))
            }
        }
    }

    async fn health(&self, strict: bool) -> Answer {
        let health = self.sources.snapshot().await.health;
        let status = match health.status {
            Verdict::Ok => StatusCode::OK,
            Verdict::Degraded if !strict => StatusCode::OK,
            Verdict::Degraded | Verdict::Failing => StatusCode::SERVICE_UNAVAILABLE,
        };
        answer(status, JSON, serde_json::to_string(&health).unwrap_or_default())
    }

    /// The page, whose one script and one style are allowed by a number that is another one each time.
    fn page(&self) -> Answer {
        let nonce = format!("{:032x}", rand::random::<u128>());
        let frame_ancestors = self.gates.frame_ancestors("'none'");
        let policy = format!(
            "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; \
             img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors {frame_ancestors}"
        );
        let mut page = answer(StatusCode::OK, HTML, page::with_nonce(&nonce));
        if let Ok(policy) = HeaderValue::try_from(policy) {
            page.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
        }
        page
    }
}

impl pinhole_http::Site for Office {
    const TITLE_CASE: bool = false;

    const FULL: &'static str = "Too many are asking for the status right now.";

    const FULL_FOR_ONE: &'static str =
        "As many connections of your address are open as one may have. Try again later.";

    fn gates(&self) -> &Gates {
        &self.gates
    }

    /// All that is here only tells something.
    fn is_document(&self, _: &str) -> bool {
        true
    }

    async fn answer(&self, request: Request) -> Answer {
        for_caller(self.read(&request).await, &request.caller)
    }

    fn refuse(&self, refusal: Refusal) -> Answer {
        let sentence = format!("{}\n", refusal.sentence);
        let mut answer = answer(refusal.status, TEXT, sentence);
        if let Some(challenge) = refusal.challenge {
            answer = answer.with(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        for_caller(answer, &refusal.caller)
    }
}

fn answer(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Answer::new(status, body).with(CONTENT_TYPE, HeaderValue::from_static(content_type));
    for (name, value) in HEADERS {
        answer = answer.with(name, HeaderValue::from_static(value));
    }
    answer
}

/// With what lets a page from elsewhere see it, if it may.
fn for_caller(answer: Answer, caller: &Caller) -> Answer {
    match caller {
        Caller::Guest(origin) => answer
            .with(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone())
            .with(VARY, HeaderValue::from_name(ORIGIN)),
        Caller::Program | Caller::Unnamed | Caller::Own | Caller::Stranger => answer,
    }
}
