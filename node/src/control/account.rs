use std::collections::BTreeMap;

use serde::Serialize;
use tokio::sync::watch;

use crate::figures::Counter;

/// What this room tells of itself: how everything is, at any time and at every change, and what was asked for.
#[derive(Debug)]
pub struct Account {
    pub(super) body: watch::Sender<Body>,
    /// Requests that were obeyed, heartbeats included.
    pub obeyed: Counter,
    /// Requests that were refused.
    pub refused: Counter,
    /// Requests that nobody looked at, because they came too fast.
    pub flooded: Counter,
    /// Messages that a client did not get, because it took none for too long. It was told everything anew later.
    pub missed: Counter,
    /// Pictures that were made as files.
    pub pictures: Counter,
}

/// How the pins and those who may use them are.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Body {
    /// What drives the pins; nothing where none are configured, or none can be driven.
    pub driver: Option<&'static str>,
    /// Whether picture and sound are stopped.
    pub privacy: bool,
    /// Whether the tally light is on, where there is one.
    pub tally: Option<bool>,
    /// Outputs, and whether they are on.
    pub outputs: BTreeMap<String, bool>,
    /// Inputs, and whether they are on.
    pub inputs: BTreeMap<String, bool>,
    /// Servos, and their degrees.
    pub servos: BTreeMap<String, f64>,
    /// What is wrong with pins.
    pub faults: Vec<String>,
    /// Viewers and programs that speak the protocol now.
    pub clients: usize,
}

impl Default for Account {
    fn default() -> Self {
        Self {
            body: watch::Sender::new(Body::default()),
            obeyed: Counter::default(),
            refused: Counter::default(),
            flooded: Counter::default(),
            missed: Counter::default(),
            pictures: Counter::default(),
        }
    }
}

impl Account {
    /// How everything is, at any time and at every change.
    pub fn watch(&self) -> watch::Receiver<Body> {
        self.body.subscribe()
    }
}
