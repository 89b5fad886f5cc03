//! `GET /sign_out?peer_id=<own id>`

use pinhole_http::Answer;
use pinhole_signaling::http::PEER_ID;

use super::answer::{self, Mistake};
use super::visit::Visit;
use crate::hub::{self, Input};

pub(super) async fn sign_out(visit: &Visit) -> Result<Answer, Mistake> {
    let (id, client) = (visit.id(PEER_ID)?, visit.client()?);
    Ok(
        match visit
            .desk
            .ask(|request| Input::SignOut { request, id, client })
            .await
            .0
        {
            hub::Answer::SignedOut => answer::empty(),
            other => visit.unexpected(other),
        },
    )
}
