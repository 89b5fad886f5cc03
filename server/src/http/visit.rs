use std::sync::Arc;

use pinhole_http::header::HeaderName;
use pinhole_http::{Answer, Caller, HeaderMap, Request, StatusCode, Uri};
use pinhole_service::quiet::Quiet;
use pinhole_signaling::{MemberKey, PeerId, http};

use super::answer::{self, Mistake};
use super::desk::Desk;
use crate::budget::Source;
use crate::hub::{self, Client};

/// [`http::MEMBER_KEY`], as the HTTP library spells it.
pub(super) const MEMBER_KEY: HeaderName = HeaderName::from_static("x-pinhole-key");

/// One request, as its handler sees it.
pub(super) struct Visit {
    pub(super) desk: Arc<Desk>,
    pub(super) headers: HeaderMap,
    pub(super) caller: Caller,
    pub(super) source: Source,
    uri: Uri,
}

impl Visit {
    pub(super) fn new(desk: Arc<Desk>, request: Request) -> (Visit, pinhole_http::Body) {
        let visit = Visit {
            desk,
            headers: request.headers,
            caller: request.caller,
            source: Source(request.source.address()),
            uri: request.uri,
        };
        (visit, request.body)
    }

    /// What is asked for.
    pub(super) fn path(&self) -> &str {
        self.uri.path()
    }

    /// The query, still percent-encoded; empty if there is none.
    pub(super) fn query(&self) -> &str {
        self.uri.query().unwrap_or_default()
    }

    /// The id that the query gives for a key.
    pub(super) fn id(&self, key: &str) -> Result<PeerId, Mistake> {
        let value = http::query_value(self.query(), key);
        let value = value.ok_or_else(|| Mistake::bad_request(format!("The query needs {key}=<id>.")))?;
        value
            .parse()
            .map_err(|error| Mistake::bad_request(format!("{key}: {error}.")))
    }

    /// Who asks, with the key that it shows, if it does.
    pub(super) fn client(&self) -> Result<Client, Mistake> {
        let key = self
            .headers
            .get(MEMBER_KEY)
            .map(|key| MemberKey::parse(key.as_bytes()));
        let key = key.transpose();
        let key = key.map_err(|error| Mistake::bad_request(format!("{}: {error}.", http::MEMBER_KEY)))?;
        Ok(Client {
            source: self.source,
            key,
        })
    }

    /// The answer to what can only be a refusal.
    pub(super) fn unexpected(&self, answer: hub::Answer) -> Answer {
        match answer {
            hub::Answer::Refused(refusal) => answer::refused(refusal),
            other => {
                static MISTAKES: Quiet = Quiet::new(10);
                if let Some(others) = MISTAKES.may_say() {
                    tracing::error!(
                        path = self.uri.path(),
                        ?other,
                        others,
                        "the hub gave the answer to another question"
                    );
                }
                answer::error(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "The server has made a mistake.",
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_looked_for_where_clients_show_it() {
        assert!(MEMBER_KEY.as_str().eq_ignore_ascii_case(http::MEMBER_KEY));
    }
}
