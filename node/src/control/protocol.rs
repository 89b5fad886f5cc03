//! The messages (docs/control.md): JSON objects, one a message. Without IO.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The version that `hello` names. A change that an old page would misunderstand makes another one.
pub const VERSION: u32 = 1;
/// The longest message that is read, in bytes.
pub const LONGEST: usize = 16 * 1024;
/// The longest text that is passed on between viewers and programs, in bytes.
const LONGEST_TEXT: usize = 4096;
/// The longest `id`, in bytes.
const LONGEST_ID: usize = 64;

/// What a client asks for.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub enum Request {
    /// I am still here.
    Beat {},
    /// How is everything?
    State {},
    /// Switch an output.
    Set {
        /// Its name.
        output: String,
        /// To what; of a momentary one, whether it is held.
        on: bool,
    },
    /// Turn a servo: with one of the two.
    Move {
        /// Its name.
        servo: String,
        /// As a share of its speed, -1 to 1; 0 stops it.
        velocity: Option<f64>,
        /// To this angle, in degrees.
        to: Option<f64>,
    },
    /// Set a control of the camera.
    Camera {
        /// Its name.
        control: String,
        /// Its value.
        value: i64,
    },
    /// The next picture, as a JPEG.
    Snapshot {},
    /// Words for the programs at the socket; from one of these, for the viewers.
    Message {
        /// The words.
        text: String,
        /// For this viewer only.
        to: Option<u64>,
    },
}

/// What a client calls its request: a short text or a whole number, which stands in the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum RequestId {
    /// A text.
    Text(String),
    /// A number.
    Number(i64),
}

/// Why something was not done, for programs; the words stand beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Code {
    /// The message can't be read.
    Malformed,
    /// There is no such output, servo or control.
    Unknown,
    /// The value is out of its range.
    Range,
    /// This client may not.
    Permission,
    /// The part is there, and does not work.
    Fault,
    /// It is being done already.
    Busy,
    /// There is no picture.
    Nopicture,
    /// The node is private.
    Privacy,
    /// Messages came faster than they are taken.
    Flood,
    /// What was held was let go, because no heartbeat came.
    Heartbeat,
    /// Nobody is there to take the message.
    Nobody,
}

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// For programs.
    pub code: Code,
    /// For people.
    pub reason: String,
}

impl Refusal {
    pub(super) fn new(code: Code, reason: impl Into<String>) -> Self {
        Self {
            code,
            reason: reason.into(),
        }
    }

    /// Messages come faster than [`crate::media::Bucket`] gives.
    pub(super) fn flood() -> Self {
        let reason = "messages come faster than 50 a second; those above that are not looked at";
        Self::new(Code::Flood, reason)
    }

    /// No picture leaves.
    pub(super) fn private() -> Self {
        Self::new(Code::Privacy, "the camera is private now")
    }
}

/// Reads a message. Its id is told also where the rest can't be read.
pub fn read(text: &str) -> (Option<RequestId>, Result<Request, Refusal>) {
    let malformed = |why: String| Refusal::new(Code::Malformed, short(&why));
    if text.len() > LONGEST {
        let why = format!("the message has {} bytes; {LONGEST} is the most", text.len());
        return (None, Err(malformed(why)));
    }
    let mut message = match serde_json::from_str(text) {
        Ok(Value::Object(message)) => message,
        Ok(_) => return (None, Err(malformed("the message is no JSON object".to_owned()))),
        Err(error) => {
            return (
                None,
                Err(malformed(format!("the message can't be read: {error}"))),
            );
        }
    };
    let id = match message.remove("id") {
        None => None,
        Some(Value::String(id)) if id.len() <= LONGEST_ID => Some(RequestId::Text(id)),
        Some(Value::Number(id)) if id.is_i64() => id.as_i64().map(RequestId::Number),
        Some(_) => {
            let why = format!("`id` has to be a text of at most {LONGEST_ID} bytes or a whole number");
            return (None, Err(malformed(why)));
        }
    };
    let request = serde_json::from_value(Value::Object(message));
    let request = request.map_err(|error| malformed(format!("the message can't be used: {error}")));
    (id, request.and_then(sensible))
}

fn sensible(request: Request) -> Result<Request, Refusal> {
    let range = |reason: String| Err(Refusal::new(Code::Range, reason));
    match &request {
        Request::Move {
            velocity: Some(_),
            to: Some(_),
            ..
        }
        | Request::Move {
            velocity: None,
            to: None,
            ..
        } => Err(Refusal::new(
            Code::Malformed,
            "a `move` has either `velocity` or `to`",
        )),
        Request::Move {
            velocity: Some(velocity),
            ..
        } if !(-1.0..=1.0).contains(velocity) => {
            range(format!("`velocity` is {velocity}; it has to be -1 to 1"))
        }
        Request::Message { text, .. } if text.len() > LONGEST_TEXT => range(format!(
            "`text` has {} bytes; {LONGEST_TEXT} is the most",
            text.len()
        )),
        _ => Ok(request),
    }
}

/// What a parser says may quote anything, at any length.
fn short(words: &str) -> String {
    words.chars().take(200).collect()
}

/// What a client is told.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Said<'a> {
    /// At the beginning, and again when the configuration has changed.
    Hello {
        /// [`VERSION`].
        version: u32,
        /// The node's.
        name: &'a str,
        /// Its own number, which messages of programs name.
        client: u64,
        /// What this client may do.
        may: Vec<&'static str>,
        /// Who holds something has to say something more often than this.
        heartbeat_ms: u64,
    },
    /// Everything that this client may know.
    State {
        /// Whether picture and sound are stopped.
        privacy: bool,
        /// What can be switched.
        outputs: Vec<OutputState<'a>>,
        /// What can be turned.
        servos: Vec<ServoState<'a>>,
        /// What is told.
        inputs: Vec<InputState<'a>>,
        /// The camera's controls.
        camera: &'a [CameraControl],
        /// Why there is no picture of the camera that this client watches.
        #[serde(skip_serializing_if = "Option::is_none")]
        picture_fault: Option<&'a str>,
        /// Why the loudspeaker plays nothing.
        #[serde(skip_serializing_if = "Option::is_none")]
        speaker_fault: Option<&'a str>,
    },
    /// A request with an id was obeyed.
    Done {
        /// The request's.
        id: RequestId,
    },
    /// A request was refused, or what it had begun was ended.
    Error {
        /// The request's.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<RequestId>,
        /// For programs.
        code: Code,
        /// For people.
        reason: &'a str,
    },
    /// Something has changed.
    Event(Event<'a>),
    /// A picture follows.
    Snapshot {
        /// The request's.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<RequestId>,
        /// Pixels.
        width: u32,
        /// Pixels.
        height: u32,
        /// Bytes of the JPEG.
        size: usize,
        /// So many parts.
        parts: usize,
    },
    /// A part of the picture.
    Part {
        /// From 0 on.
        number: usize,
        /// Base64 (RFC 4648, section 4).
        data: String,
    },
    /// Words.
    Message {
        /// Who says so.
        from: &'a str,
        /// Its number.
        client: u64,
        /// What.
        text: &'a str,
    },
}

/// What has changed.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "what", rename_all = "lowercase")]
pub enum Event<'a> {
    /// An output.
    Output {
        /// Its name.
        name: &'a str,
        /// What it is now.
        on: bool,
    },
    /// An input.
    Input {
        /// Its name.
        name: &'a str,
        /// What it is now.
        on: bool,
    },
    /// A servo has begun or ended to turn.
    Servo {
        /// Its name.
        name: &'a str,
        /// Degrees.
        position: f64,
        /// Whether it turns.
        moving: bool,
    },
    /// Picture and sound were stopped, or go on.
    Privacy {
        /// Whether they are stopped.
        on: bool,
    },
    /// A part does not work any more, or works again.
    Fault {
        /// What is wrong; nothing any more where it is empty.
        reason: &'a str,
    },
    /// The camera that this client watches has no picture any more, or has one again.
    Picture {
        /// Why not; it has one where this is empty.
        reason: &'a str,
    },
    /// The loudspeaker plays nothing, or plays again.
    Speaker {
        /// Why not; it plays where this is empty.
        reason: &'a str,
    },
}

/// An output as clients see it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OutputState<'a> {
    /// Its name.
    pub name: &'a str,
    /// `latching` or `momentary`.
    pub kind: &'static str,
    /// What it is.
    pub on: bool,
    /// What is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<&'a str>,
}

/// A servo as clients see it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ServoState<'a> {
    /// Its name.
    pub name: &'a str,
    /// Degrees.
    pub min: f64,
    /// Degrees.
    pub max: f64,
    /// Degrees.
    pub centre: f64,
    /// Degrees per second.
    pub speed: f64,
    /// Degrees.
    pub position: f64,
    /// Whether it turns.
    pub moving: bool,
    /// What is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<&'a str>,
}

/// An input as clients see it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InputState<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it is.
    pub on: bool,
    /// What is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<&'a str>,
}

/// A control of the camera.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CameraControl {
    /// Its name, as `v4l2-ctl` writes it.
    pub name: String,
    /// The least value.
    pub min: i32,
    /// The greatest value.
    pub max: i32,
    /// From one value to the next.
    pub step: i32,
    /// The driver's.
    pub default: i32,
    /// What it is, where the driver tells.
    pub value: Option<i32>,
    /// Why it can't be set now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

impl Said<'_> {
    /// As it is sent.
    pub fn text(&self) -> String {
        // None of these types can fail to become JSON: no maps with odd keys, and numbers that are finite.
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_with_their_ids() {
        for (text, id, request) in [
            (r#"{"type":"beat"}"#, None, Request::Beat {}),
            (
                r#"{"type":"set","output":"light","on":true,"id":7}"#,
                Some(RequestId::Number(7)),
                Request::Set {
                    output: "light".to_owned(),
                    on: true,
                },
            ),
            (
                r#"{"id":"a","type":"move","servo":"pan","velocity":-1}"#,
                Some(RequestId::Text("a".to_owned())),
                Request::Move {
                    servo: "pan".to_owned(),
                    velocity: Some(-1.0),
                    to: None,
                },
            ),
            (
                r#"{"type":"camera","control":"focus","value":3}"#,
                None,
                Request::Camera {
                    control: "focus".to_owned(),
                    value: 3,
                },
            ),
        ] {
            assert_eq!(read(text), (id, Ok(request)), "{text}");
        }
    }

    #[test]
    fn what_can_not_be_read_is_refused_with_the_reason() {
        let long = format!(
            r#"{{"type":"message","text":"{}"}}"#,
            "x".repeat(LONGEST_TEXT + 1)
        );
        let deep = "[".repeat(10_000);
        let large = " ".repeat(LONGEST + 1);
        for (text, code, reason) in [
            ("", Code::Malformed, "can't be read"),
            ("[]", Code::Malformed, "no JSON object"),
            ("{}", Code::Malformed, "missing field `type`"),
            (r#"{"type":"explode"}"#, Code::Malformed, "unknown variant"),
            (
                r#"{"type":"set","output":"light"}"#,
                Code::Malformed,
                "missing field `on`",
            ),
            (
                r#"{"type":"set","output":"light","on":1}"#,
                Code::Malformed,
                "expected a boolean",
            ),
            (r#"{"type":"beat","loud":true}"#, Code::Malformed, "unknown field"),
            (r#"{"type":"beat","id":[1]}"#, Code::Malformed, "`id`"),
            (r#"{"type":"beat","id":1.5}"#, Code::Malformed, "`id`"),
            (r#"{"type":"move","servo":"pan"}"#, Code::Malformed, "either"),
            (
                r#"{"type":"move","servo":"pan","velocity":1,"to":1}"#,
                Code::Malformed,
                "either",
            ),
            (
                r#"{"type":"move","servo":"pan","velocity":2}"#,
                Code::Range,
                "-1 to 1",
            ),
            (
                r#"{"type":"move","servo":"pan","to":1e999}"#,
                Code::Malformed,
                "can't be read",
            ),
            (
                r#"{"type":"camera","control":"focus","value":1e40}"#,
                Code::Malformed,
                "can't be used",
            ),
            (&long, Code::Range, "is the most"),
            (&deep, Code::Malformed, "can't be read"),
            (&large, Code::Malformed, "is the most"),
        ] {
            let (_, outcome) = read(text);
            let refusal = outcome.expect_err(text);
            assert_eq!(refusal.code, code, "{text}");
            assert!(refusal.reason.contains(reason), "{text}: {}", refusal.reason);
            assert!(refusal.reason.len() < 900, "{}", refusal.reason);
        }
    }

    #[test]
    fn messages_are_plain_objects() {
        let event = Said::Event(Event::Output {
            name: "light",
            on: true,
        });
        assert_eq!(
            event.text(),
            r#"{"type":"event","what":"output","name":"light","on":true}"#
        );
        let error = Said::Error {
            id: Some(RequestId::Number(3)),
            code: Code::Nopicture,
            reason: "none",
        };
        assert_eq!(
            error.text(),
            r#"{"type":"error","id":3,"code":"nopicture","reason":"none"}"#
        );
    }
}
