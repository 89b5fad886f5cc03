//! `POST /message?peer_id=<own id>&to=<other id>`: the body goes to the other, verbatim.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::StatusCode;
use hyper::body::{Body, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use pinhole_signaling::http::{PEER_ID, TEXT_PLAIN, TO};
use tokio::time::timeout;

use super::answer::{self, Mistake, Response};
use super::route::Visit;
use crate::hub::{Answer, Input, Parcel};

pub(super) async fn message(visit: &Visit, headers: &HeaderMap, body: Incoming) -> Result<Response, Mistake> {
    let (from, to) = (visit.id(PEER_ID)?, visit.id(TO)?);
    let body = receive(body, visit.message_bytes, visit.request_patience).await?;
    let declared = headers
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
            Answer::Sent => answer::empty(),
            Answer::Echo(parcel) => answer::ok(content_type(&parcel), parcel.body, Some(from)),
            other => visit.unexpected(other),
        },
    )
}

/// The sender's content type.
pub(super) fn content_type(parcel: &Parcel) -> HeaderValue {
    // It came as a header, so it can go as one.
    HeaderValue::from_maybe_shared(parcel.content_type.clone()).unwrap_or_else(|_| answer::text())
}

async fn receive(body: Incoming, limit: usize, patience: Duration) -> Result<Bytes, Mistake> {
    let too_large = || Mistake {
        status: StatusCode::PAYLOAD_TOO_LARGE,
        sentence: format!("A message may have at most {limit} bytes."),
    };
    // Known beforehand from `Content-Length`: no need to read it.
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large());
    }
    match timeout(patience, Limited::new(body, limit).collect()).await {
        Ok(Ok(body)) => Some(body.to_bytes())
            .filter(|body| !body.is_empty())
            .ok_or_else(|| Mistake::bad_request("A message needs a body, and Content-Length.".into())),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(error)) => Err(Mistake::bad_request(format!("The body can't be read: {error}."))),
        Err(_) => Err(Mistake {
            status: StatusCode::REQUEST_TIMEOUT,
            sentence: format!("The body did not come within {} s.", patience.as_secs()),
        }),
    }
}
