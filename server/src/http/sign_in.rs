//! `GET /sign_in?<name>`

use pinhole_http::Answer;
use pinhole_http::header::HeaderValue;
use pinhole_signaling::Name;

use super::answer::{self, Mistake};
use super::visit::{MEMBER_KEY, Visit};
use crate::hub::{self, Input};

pub(super) async fn sign_in(visit: &Visit) -> Result<Answer, Mistake> {
    let name = Name::from_query(visit.query().as_bytes());
    let client = visit.client()?;
    let input = |request| Input::SignIn {
        request,
        name,
        client,
    };
    Ok(match visit.desk.ask(input).await.0 {
        hub::Answer::SignedIn { id, roster } => {
            let answer = answer::ok(answer::text(), roster, Some(id)).with_reason(b"Added");
            // Who shows a key learns so that it counts here. Others get what the stock server says.
            match client.key.map(|key| HeaderValue::try_from(key.to_string())) {
                Some(Ok(key)) => answer.with(MEMBER_KEY, key),
                _ => answer,
            }
        }
        other => visit.unexpected(other),
    })
}
