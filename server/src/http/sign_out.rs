//! `GET /sign_out?peer_id=<own id>`

use pinhole_signaling::http::PEER_ID;

use super::answer::{self, Mistake, Response};
use super::route::Visit;
use crate::hub::{Answer, Input};

pub(super) async fn sign_out(visit: &Visit) -> Result<Response, Mistake> {
    let id = visit.id(PEER_ID)?;
    Ok(
        match visit.desk.ask(|request| Input::SignOut { request, id }).await.0 {
            Answer::SignedOut => answer::empty(),
            other => visit.unexpected(other),
        },
    )
}
