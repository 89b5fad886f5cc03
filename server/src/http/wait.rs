//! `GET /wait?peer_id=<own id>`: hangs until there is one event.

use pinhole_signaling::http::PEER_ID;

use super::answer::{self, Mistake, Response};
use super::route::Visit;
use crate::hub::{Answer, Event, Input};

pub(super) async fn wait(visit: &Visit) -> Result<Response, Mistake> {
    let id = visit.id(PEER_ID)?;
    // If the client closes the connection meanwhile, this future is dropped, and with it the wait.
    let (answer, ticket) = visit.desk.ask(|request| Input::Wait { request, id }).await;
    Ok(match answer {
        Answer::Event(event) => {
            visit.await_delivery(ticket);
            match event {
                Event::Presence(entry) => answer::ok(answer::text(), entry, Some(id)),
                Event::Message { from, parcel } => {
                    answer::ok(super::message::content_type(&parcel), parcel.body, Some(from))
                }
            }
        }
        other => visit.unexpected(other),
    })
}
