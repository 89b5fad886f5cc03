//! Whether what comes is a picture of the camera at all: what the node says of that on the control channel (docs/control.md), which is all
//! that is understood of it here.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::printable::printable;

/// Why the node sends a slate in place of the camera's picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "code", content = "reason")]
pub enum Slate {
    /// Its privacy switch is on.
    Private,
    /// The camera gives no picture, for this reason in the node's words.
    NoSignal(String),
}

impl fmt::Display for Slate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Slate::Private => f.write_str("the camera is private"),
            Slate::NoSignal(reason) => write!(f, "the camera gives no picture: {reason}"),
        }
    }
}

/// What the node has said of its camera so far.
#[derive(Debug, Default)]
pub struct Camera {
    privacy: bool,
    fault: Option<String>,
    slate: Option<Slate>,
}

/// As much of a message as matters here. A `state` says everything, an `event` one thing.
#[derive(Deserialize)]
struct Said {
    #[serde(rename = "type")]
    kind: String,
    privacy: Option<bool>,
    picture_fault: Option<String>,
    what: Option<String>,
    on: Option<bool>,
    reason: Option<String>,
}

impl Camera {
    /// What is shown in place of its picture, as far as is known.
    pub fn slate(&self) -> Option<&Slate> {
        self.slate.as_ref()
    }

    /// Takes a message of the node; whether another [`Camera::slate`] is shown since. What is about something else is passed over.
    pub fn hear(&mut self, message: &[u8]) -> bool {
        let Ok(said) = serde_json::from_slice::<Said>(message) else {
            tracing::debug!("passed over a message on the control channel");
            return false;
        };
        // Where all is well again the reason is empty.
        let fault = |reason: Option<String>| reason.filter(|reason| !reason.is_empty());
        match (said.kind.as_str(), said.what.as_deref()) {
            ("state", _) => {
                self.privacy = said.privacy.unwrap_or_default();
                self.fault = fault(said.picture_fault);
            }
            ("event", Some("privacy")) => self.privacy = said.on.unwrap_or_default(),
            ("event", Some("picture")) => self.fault = fault(said.reason),
            _ => return false,
        }
        let slate = match &self.fault {
            _ if self.privacy => Some(Slate::Private),
            Some(reason) => Some(Slate::NoSignal(printable(reason))),
            None => None,
        };
        let is_other = slate != self.slate;
        self.slate = slate;
        is_other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn no_signal(reason: &str) -> Option<Slate> {
        Some(Slate::NoSignal(reason.to_owned()))
    }

    #[test]
    fn each_change_is_told_once_and_privacy_before_a_fault() {
        let mut camera = Camera::default();
        for (message, expected) in [
            (r#"{"type":"hello","version":1,"name":"porch","client":3}"#, None),
            (r#"{"type":"state","privacy":false,"outputs":[]}"#, None),
            (
                r#"{"type":"event","what":"output","name":"light","on":true}"#,
                None,
            ),
            (
                r#"{"type":"event","what":"picture","reason":"unplugged"}"#,
                Some(no_signal("unplugged")),
            ),
            (r#"{"type":"event","what":"picture","reason":"unplugged"}"#, None),
            (
                r#"{"type":"state","privacy":false,"picture_fault":"unplugged"}"#,
                None,
            ),
            (
                r#"{"type":"event","what":"picture","reason":"too\u001bhot"}"#,
                Some(no_signal("too_hot")),
            ),
            (
                r#"{"type":"event","what":"privacy","on":true}"#,
                Some(Some(Slate::Private)),
            ),
            (r#"{"type":"event","what":"picture","reason":"busy"}"#, None),
            (
                r#"{"type":"event","what":"privacy","on":false}"#,
                Some(no_signal("busy")),
            ),
            (r#"{"type":"event","what":"picture","reason":""}"#, Some(None)),
            (
                r#"{"type":"message","from":"porch","client":0,"text":"on"}"#,
                None,
            ),
            (r#"{"type":"event","what":"privacy","on":"yes"}"#, None),
            ("[]", None),
            ("", None),
        ] {
            let told = camera.hear(message.as_bytes()).then(|| camera.slate().cloned());
            assert_eq!(told, expected, "{message}");
        }
    }

    #[test]
    fn in_json_it_is_a_code_and_a_reason() {
        let json = |slate| serde_json::to_value::<Option<Slate>>(slate).expect("JSON");
        assert_eq!(json(Some(Slate::Private)), serde_json::json!({"code": "private"}));
        let expected = serde_json::json!({"code": "no-signal", "reason": "unplugged"});
        assert_eq!(json(no_signal("unplugged")), expected);
        assert_eq!(json(None), serde_json::Value::Null);
    }
}
