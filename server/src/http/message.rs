//! `POST /message?peer_id=<own id>&to=<other id>`: the body goes to the other, verbatim.

use pinhole_http::header::CONTENT_TYPE;
use pinhole_http::{Answer, Body, BodyError};
use pinhole_signaling::http::{PEER_ID, TEXT_PLAIN, TO};

use super::answer::{self, Mistake};
use super::visit::Visit;
use crate::budget::Spent;
use crate::hub::{self, Input, Parcel, Refusal};

pub(super) async fn message(visit: &Visit, body: Body) -> Result<Answer, Mistake> {
    let (from, to) = (visit.id(PEER_ID)?, visit.id(TO)?);
    let client = visit.client()?;
    let parcel = match receive(visit, body).await {
        Ok(parcel) => parcel,
        Err(NoParcel::Body(error)) => return Err(error.into()),
        Err(NoParcel::Memory(spent)) => return Ok(answer::refused(Refusal::from(spent))),
    };
    if parcel.body.is_empty() {
        let sentence = "A message needs a body, and Content-Length.";
        return Err(Mistake::bad_request(sentence.into()));
    }
    let input = |request| Input::Send {
        request,
        from,
        to,
        parcel,
        client,
    };
    Ok(match visit.desk.ask(input).await.0 {
        hub::Answer::Sent => answer::empty(),
        hub::Answer::Echo(parcel) => answer::parcel(parcel, from),
        other => visit.unexpected(other),
    })
}

enum NoParcel {
    Body(BodyError),
    Memory(Spent),
}

impl From<Spent> for NoParcel {
    fn from(spent: Spent) -> NoParcel {
        NoParcel::Memory(spent)
    }
}

/// The message, whose memory is reserved before it comes and held as long as it is anywhere.
async fn receive(visit: &Visit, body: Body) -> Result<Parcel, NoParcel> {
    let declared = visit.headers.get(CONTENT_TYPE);
    let content_type = declared.map_or(TEXT_PLAIN.as_bytes(), |value| value.as_bytes());
    let account = visit.desk.account(visit.source);
    let of_type = account.reserve(Parcel::OVERHEAD + content_type.len())?;
    let mut of_body = account.reserve(0)?;
    let mut spent = None;
    let room = |bytes| of_body.grow(bytes).map_err(|error| spent = Some(error)).is_ok();
    let body = body.receive(room).await;
    let body = body.map_err(|error| spent.map_or(NoParcel::Body(error), NoParcel::Memory))?;
    Ok(Parcel {
        content_type: of_type.hold(content_type.to_vec()),
        body: of_body.hold(body),
    })
}
