//! What peers say to one another: the bodies of messages.
//!
//! JSON objects, or the bare text `BYE`. The stock client's reader takes keys in any order and any white space.

use std::fmt;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::http::MAX_MESSAGE;
use crate::secret::CallTag;

const BYE: &str = "BYE";
/// The keys and the type that are ours, and not the stock programs'.
const CALL: &str = "call";
const OURS_BYE: &str = "bye";

/// A message, and of which call it is, where both ends tell calls apart. An addition of Pinhole.
///
/// Who calls names the call in its offer, under a key that stock programs pass over, and who answers repeats it. So each knows
/// that the other has calls with names, and from then on everything between them says of which call it is: also the goodbye, which
/// is JSON then. To anybody else a goodbye is the bare text, for which an idle stock client has an ear; any JSON makes it begin a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The call; `None` as stock programs have it.
    pub call: Option<CallTag>,
    /// What is said.
    pub message: Message,
}

/// A message from one peer to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// A session description (RFC 8829).
    Description(Description),
    /// One ICE candidate (RFC 8838, trickle). There is no message for the end of candidates.
    Candidate(Candidate),
    /// Why the call is refused; `Bye` follows. An addition of Pinhole: stock clients pass over it.
    Refusal(Refusal),
    /// Hangs up.
    Bye,
}

/// A session description.
#[derive(Clone, PartialEq, Eq)]
pub struct Description {
    /// What it is in the exchange.
    pub kind: DescriptionKind,
    /// The description itself, in SDP.
    pub sdp: String,
}

/// What a session description is in the exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DescriptionKind {
    /// Proposes a session.
    Offer,
    /// Accepts a session.
    Answer,
    /// Accepts for now; the answer follows.
    Pranswer,
    /// The stock client's wish to call itself without encryption.
    OfferLoopback,
}

/// One ICE candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The `mid` of the media section that it belongs to.
    pub sdp_mid: String,
    /// The index of that media section.
    pub sdp_mline_index: u16,
    /// The candidate line, `candidate:…`, without `a=`.
    pub candidate: String,
}

/// Why a call is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// A word for programs, such as `busy`; may be empty.
    pub code: String,
    /// A sentence for people.
    pub reason: String,
}

/// Why a body is not a message.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    /// It is longer than any message.
    #[error("the message has {length} bytes; at most {MAX_MESSAGE} are allowed")]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// It is neither `BYE` nor JSON.
    #[error("the message is neither BYE nor JSON: {0}")]
    NotJson(#[from] serde_json::Error),
    /// It is JSON, but not an object.
    #[error("the message is JSON, but not an object")]
    NotAnObject,
    /// A key that this kind of message needs is not there.
    #[error("the {message} has no \"{key}\"")]
    Missing {
        /// The kind of message.
        message: &'static str,
        /// The key.
        key: &'static str,
    },
    /// A key holds something other than it should.
    #[error("\"{key}\" of the {message} is not {expected}")]
    Wrong {
        /// The kind of message.
        message: &'static str,
        /// The key.
        key: &'static str,
        /// What it should hold.
        expected: &'static str,
    },
    /// `type` is a word that the protocol does not have.
    #[error("there is no message of type {0:?}")]
    UnknownType(String),
}

impl Envelope {
    /// Reads the body of a message. What stands there as the name of a call and is none of ours, counts as none.
    ///
    /// # Errors
    /// It is no message.
    pub fn parse(body: &[u8]) -> Result<Envelope, MessageError> {
        if body.len() > MAX_MESSAGE {
            return Err(MessageError::TooLong { length: body.len() });
        }
        if body.trim_ascii() == BYE.as_bytes() {
            return Ok(Message::Bye.into());
        }
        let Value::Object(mut object) = serde_json::from_slice(body)? else {
            return Err(MessageError::NotAnObject);
        };
        let call = object.remove(CALL);
        let call = call.as_ref().and_then(Value::as_str);
        let call = call.and_then(|call| CallTag::parse(call.as_bytes()).ok());
        if object.get("type").is_some_and(|kind| kind == OURS_BYE) {
            // Without the name of a call it would end any.
            let missing = MessageError::Missing {
                message: "goodbye",
                key: CALL,
            };
            let call = Some(call.ok_or(missing)?);
            let message = Message::Bye;
            return Ok(Envelope { call, message });
        }
        let message = Message::read(object)?;
        Ok(Envelope { call, message })
    }

    /// Writes the body of a message.
    pub fn to_body(&self) -> Bytes {
        let Some(call) = self.call else {
            return self.message.to_body();
        };
        let mut object = self.message.to_object().unwrap_or_else(|| {
            let mut bye = Map::new();
            bye.insert("type".to_owned(), OURS_BYE.into());
            bye
        });
        object.insert(CALL.to_owned(), call.to_string().into());
        Bytes::from(Value::Object(object).to_string())
    }
}

impl From<Message> for Envelope {
    fn from(message: Message) -> Envelope {
        Envelope { call: None, message }
    }
}

impl Message {
    /// Reads the body of a message, of whatever call.
    ///
    /// # Errors
    /// It is no message.
    pub fn parse(body: &[u8]) -> Result<Message, MessageError> {
        Envelope::parse(body).map(|envelope| envelope.message)
    }

    fn read(mut object: Map<String, Value>) -> Result<Message, MessageError> {
        // As in the stock client, a `type` makes it a description, and none a candidate.
        if !object.contains_key("type") {
            return Candidate::read(&mut object).map(Message::Candidate);
        }
        let kind = string(&mut object, "message", "type")?;
        if kind == "error" {
            return Refusal::read(&mut object).map(Message::Refusal);
        }
        let kind = DescriptionKind::parse(&kind)
            .ok_or_else(|| MessageError::UnknownType(kind.chars().take(32).collect()))?;
        Ok(Message::Description(Description {
            kind,
            sdp: string(&mut object, "session description", "sdp")?,
        }))
    }

    /// Writes the body of a message as stock programs have it.
    pub fn to_body(&self) -> Bytes {
        match self.to_object() {
            Some(object) => Bytes::from(Value::Object(object).to_string()),
            None => Bytes::from_static(BYE.as_bytes()),
        }
    }

    /// As JSON; `None` for the bare text.
    fn to_object(&self) -> Option<Map<String, Value>> {
        let object = match self {
            Message::Description(Description { kind, sdp }) => json!({ "type": kind.as_str(), "sdp": sdp }),
            Message::Candidate(Candidate {
                sdp_mid,
                sdp_mline_index,
                candidate,
            }) => {
                json!({ "sdpMid": sdp_mid, "sdpMLineIndex": sdp_mline_index, "candidate": candidate })
            }
            Message::Refusal(Refusal { code, reason }) => {
                json!({ "type": "error", "code": code, "reason": reason })
            }
            Message::Bye => return None,
        };
        match object {
            Value::Object(object) => Some(object),
            _ => None,
        }
    }
}

impl DescriptionKind {
    fn parse(word: &str) -> Option<DescriptionKind> {
        [Self::Offer, Self::Answer, Self::Pranswer, Self::OfferLoopback]
            .into_iter()
            .find(|kind| kind.as_str() == word)
    }

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Offer => "offer",
            Self::Answer => "answer",
            Self::Pranswer => "pranswer",
            Self::OfferLoopback => "offer-loopback",
        }
    }
}

impl fmt::Display for DescriptionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Without the SDP, which holds addresses and fingerprints: it must not slip into a log.
impl fmt::Debug for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Description({}, {} bytes of SDP)", self.kind, self.sdp.len())
    }
}

impl Candidate {
    fn read(object: &mut Map<String, Value>) -> Result<Candidate, MessageError> {
        const MESSAGE: &str = "candidate";
        const INDEX: &str = "sdpMLineIndex";
        let sdp_mid = string(object, MESSAGE, "sdpMid")?;
        let index = object.get(INDEX).ok_or(MessageError::Missing {
            message: MESSAGE,
            key: INDEX,
        })?;
        let sdp_mline_index =
            index
                .as_u64()
                .and_then(|index| u16::try_from(index).ok())
                .ok_or(MessageError::Wrong {
                    message: MESSAGE,
                    key: INDEX,
                    expected: "a number from 0 to 65535",
                })?;
        Ok(Candidate {
            sdp_mid,
            sdp_mline_index,
            candidate: string(object, MESSAGE, "candidate")?,
        })
    }
}

impl Refusal {
    fn read(object: &mut Map<String, Value>) -> Result<Refusal, MessageError> {
        const MESSAGE: &str = "refusal";
        let reason = string(object, MESSAGE, "reason")?;
        let code = if object.contains_key("code") {
            string(object, MESSAGE, "code")?
        } else {
            String::new()
        };
        Ok(Refusal { code, reason })
    }
}

fn string(
    object: &mut Map<String, Value>,
    message: &'static str,
    key: &'static str,
) -> Result<String, MessageError> {
    match object.remove(key) {
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(MessageError::Wrong {
            message,
            key,
            expected: "a string",
        }),
        None => Err(MessageError::Missing { message, key }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stock_clients_styled_json_is_read() {
        let offer = b"{\n   \"sdp\" : \"v=0\\r\\n\",\n   \"type\" : \"offer\"\n}\n";
        assert_eq!(
            Message::parse(offer).unwrap(),
            Message::Description(Description {
                kind: DescriptionKind::Offer,
                sdp: "v=0\r\n".into()
            })
        );
        let candidate =
            b"{\n   \"candidate\" : \"candidate:1 1 udp 1 10.0.0.1 9 typ host\",\n   \"sdpMLineIndex\" : 1,\n   \"sdpMid\" : \"video\"\n}\n";
        assert_eq!(
            Message::parse(candidate).unwrap(),
            Message::Candidate(Candidate {
                sdp_mid: "video".into(),
                sdp_mline_index: 1,
                candidate: "candidate:1 1 udp 1 10.0.0.1 9 typ host".into(),
            })
        );
        assert_eq!(Message::parse(b"BYE").unwrap(), Message::Bye);
    }

    #[test]
    fn what_is_written_is_read_the_same() {
        let kinds = [
            DescriptionKind::Offer,
            DescriptionKind::Answer,
            DescriptionKind::Pranswer,
            DescriptionKind::OfferLoopback,
        ];
        let descriptions = kinds.map(|kind| {
            Message::Description(Description {
                kind,
                sdp: "v=0\r\n\"가\"".into(),
            })
        });
        let others = [
            Message::Candidate(Candidate {
                sdp_mid: "0".into(),
                sdp_mline_index: 65535,
                candidate: String::new(),
            }),
            Message::Refusal(Refusal {
                code: "busy".into(),
                reason: "20 viewers are watching already".into(),
            }),
            Message::Bye,
        ];
        for message in descriptions.into_iter().chain(others) {
            assert_eq!(Message::parse(&message.to_body()).unwrap(), message);
        }
    }

    #[test]
    fn what_is_said_of_a_call_with_a_name_is_read_the_same_and_passed_over_by_who_knows_none() {
        let call = CallTag::random();
        let messages = [
            Message::Description(Description {
                kind: DescriptionKind::Offer,
                sdp: "v=0\r\n".into(),
            }),
            Message::Candidate(Candidate {
                sdp_mid: "0".into(),
                sdp_mline_index: 0,
                candidate: String::new(),
            }),
            Message::Refusal(Refusal {
                code: "no_path".into(),
                reason: "no network path was found".into(),
            }),
            Message::Bye,
        ];
        for message in messages {
            let named = Envelope {
                call,
                message: message.clone(),
            };
            assert_eq!(Envelope::parse(&named.to_body()).unwrap(), named);
            assert_eq!(Message::parse(&named.to_body()).unwrap(), message);
            let bare = Envelope::from(message.clone());
            assert_eq!(bare.to_body(), message.to_body());
            assert_eq!(Envelope::parse(&bare.to_body()).unwrap(), bare);
        }
        let goodbye = br#"{"call":"00112233445566778899aabbccddeeff","type":"bye"}"#;
        assert_eq!(Envelope::parse(goodbye).unwrap().to_body(), goodbye[..]);
    }

    #[test]
    fn a_name_that_is_none_of_ours_is_none() {
        for call in [
            "7",
            "null",
            "\"\"",
            "\"<b>\"",
            "{}",
            "\"00112233445566778899AABBCCDDEEFF\"",
        ] {
            let offer = format!(r#"{{"type":"offer","sdp":"","call":{call}}}"#);
            assert_eq!(Envelope::parse(offer.as_bytes()).unwrap().call, None, "{offer}");
            let bye = format!(r#"{{"type":"bye","call":{call}}}"#);
            let error = Envelope::parse(bye.as_bytes()).unwrap_err();
            assert_eq!(error.to_string(), "the goodbye has no \"call\"", "{bye}");
        }
    }

    #[test]
    fn an_error_names_the_key_and_what_is_wrong_with_it() {
        for (body, says) in [
            ("", "neither BYE nor JSON"),
            ("bye", "neither BYE nor JSON"),
            ("\u{feff}{}", "neither BYE nor JSON"),
            ("[]", "not an object"),
            ("{}", "the candidate has no \"sdpMid\""),
            (r#"{"sdpMid":"0"}"#, "has no \"sdpMLineIndex\""),
            (r#"{"sdpMid":"0","sdpMLineIndex":0}"#, "has no \"candidate\""),
            (
                r#"{"sdpMid":0,"sdpMLineIndex":0,"candidate":""}"#,
                "\"sdpMid\" of the candidate is not a string",
            ),
            (
                r#"{"sdpMid":"0","sdpMLineIndex":-1,"candidate":""}"#,
                "not a number from 0 to 65535",
            ),
            (
                r#"{"sdpMid":"0","sdpMLineIndex":65536,"candidate":""}"#,
                "not a number from 0 to 65535",
            ),
            (
                r#"{"sdpMid":"0","sdpMLineIndex":0.5,"candidate":""}"#,
                "not a number from 0 to 65535",
            ),
            (r#"{"type":"offer"}"#, "the session description has no \"sdp\""),
            (
                r#"{"type":"offer","sdp":null}"#,
                "\"sdp\" of the session description is not a string",
            ),
            (
                r#"{"type":7,"sdp":""}"#,
                "\"type\" of the message is not a string",
            ),
            (
                r#"{"type":"rollback","sdp":""}"#,
                "no message of type \"rollback\"",
            ),
            (r#"{"type":"error"}"#, "the refusal has no \"reason\""),
        ] {
            let error = Message::parse(body.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(says), "{body}: {error}");
        }
    }

    #[test]
    fn hostile_bodies_are_refused() {
        assert!(matches!(
            Message::parse(&vec![b' '; MAX_MESSAGE + 1]),
            Err(MessageError::TooLong { .. })
        ));
        assert!(matches!(
            Message::parse("[".repeat(100_000).as_bytes()),
            Err(MessageError::NotJson(_))
        ));
        assert!(matches!(
            Message::parse(b"\xff\xfe"),
            Err(MessageError::NotJson(_))
        ));
    }

    #[test]
    fn a_description_does_not_show_its_sdp_in_debug_output() {
        let description = Description {
            kind: DescriptionKind::Offer,
            sdp: "a=fingerprint".into(),
        };
        assert_eq!(format!("{description:?}"), "Description(offer, 13 bytes of SDP)");
    }
}
