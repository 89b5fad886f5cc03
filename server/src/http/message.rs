//! `POST /message?peer_id=<own id>&to=<other id>`: the body goes to the other, verbatim.

use bytes::Bytes;
use pinhole_http::header::CONTENT_TYPE;
use pinhole_http::{Answer, Body};
use pinhole_signaling::http::{PEER_ID, TEXT_PLAIN, TO};

use super::answer::{self, Mistake};
use super::visit::Visit;
use crate::hub::{self, Input, Parcel};

pub(super) async fn message(visit: &Visit, body: Body) -> Result<Answer, Mistake> {
    let (from, to) = (visit.id(PEER_ID)?, visit.id(TO)?);
    let body = body.receive().await?;
    if body.is_empty() {
        let sentence = "A message needs a body, and Content-Length.";
        return Err(Mistake::bad_request(sentence.into()));
    }
    let declared = visit
        .headers
        .get(CONTENT_TYPE)
        .map_or(Bytes::from_static(TEXT_PLAIN.as_bytes()), |value| {
            Bytes::copy_from_slice(value.as_bytes())
        });
    let parcel = Parcel {
        content_type: declared,
        body,
    };
    Ok(
        match visit
            .desk
            .ask(|request| Input::Send {
                request,
                from,
                to,
                parcel,
            })
            .await
            .0
        {
            hub::Answer::Sent => answer::empty(),
            hub::Answer::Echo(parcel) => answer::parcel(parcel, from),
            other => visit.unexpected(other),
        },
    )
}
