//! `GET /sign_in?<name>`

use hyper::ext::ReasonPhrase;
use pinhole_signaling::Name;

use super::answer::{self, Response};
use super::route::Visit;
use crate::hub::{Answer, Input};

pub(super) async fn sign_in(visit: &Visit) -> Response {
    let name = Name::from_query(visit.query().as_bytes());
    match visit.desk.ask(|request| Input::SignIn { request, name }).await.0 {
        Answer::SignedIn { id, roster } => {
            let mut response = answer::ok(answer::text(), roster, Some(id));
            response
                .extensions_mut()
                .insert(ReasonPhrase::from_static(b"Added"));
            response
        }
        other => visit.unexpected(other),
    }
}
