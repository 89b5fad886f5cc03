//! `GET /sign_in?<name>`

use pinhole_http::Answer;
use pinhole_signaling::Name;

use super::answer;
use super::visit::Visit;
use crate::hub::{self, Input};

pub(super) async fn sign_in(visit: &Visit) -> Answer {
    let name = Name::from_query(visit.query().as_bytes());
    let source = visit.source;
    let input = |request| Input::SignIn {
        request,
        name,
        source,
    };
    match visit.desk.ask(input).await.0 {
        hub::Answer::SignedIn { id, roster } => {
            answer::ok(answer::text(), roster, Some(id)).with_reason(b"Added")
        }
        other => visit.unexpected(other),
    }
}
