//! `GET /wait?peer_id=<own id>`: hangs until there is one event.

use pinhole_http::Answer;
use pinhole_signaling::http::PEER_ID;

use super::answer::{self, Mistake};
use super::visit::Visit;
use crate::hub::{self, Event, Input};

pub(super) async fn wait(visit: &Visit) -> Result<Answer, Mistake> {
    let (id, client) = (visit.id(PEER_ID)?, visit.client()?);
    // If the client closes the connection meanwhile, this future is dropped, and with it the wait.
    let (answer, ticket) = visit
        .desk
        .ask(|request| Input::Wait { request, id, client })
        .await;
    Ok(match answer {
        hub::Answer::Event(event) => {
            let answer = match event {
                Event::Presence(entry) => answer::ok(answer::text(), entry, Some(id)),
                Event::Message { from, parcel } => answer::parcel(parcel, from),
            };
            answer.with_receipt(ticket)
        }
        other => visit.unexpected(other),
    })
}
