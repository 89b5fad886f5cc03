//! What clients ask for.

use std::time::Instant;

use super::{Client, ClientId, Order, Part, Room, Said};
use crate::{
    config::gpio::{OutputKind, PartName},
    control::{
        protocol::{self, Code, Refusal, Request, RequestId},
        rights::{Capability, Origin},
    },
};

/// What a request came to, where it was obeyed.
enum Obeyed {
    Done,
    /// The answer comes later, or was the answer.
    Answered,
}

impl Room {
    /// A client says something. Tells whether it was obeyed.
    pub fn hear(&mut self, from: ClientId, text: &str, now: Instant) -> bool {
        if !self.clients.contains_key(&from) {
            return false;
        }
        let (id, request) = protocol::read(text);
        let outcome = request.and_then(|request| {
            // Noise is no sign of a hand that holds a button.
            if let Some(client) = self.clients.get_mut(&from) {
                client.heard = now;
            }
            self.obey(from, id.as_ref(), request, now)
        });
        match (outcome, id) {
            (Ok(Obeyed::Done), Some(id)) => self.say(from, &Said::Done { id }),
            (Ok(_), _) => {}
            (Err(refusal), id) => {
                self.refuse(from, id, &refusal);
                return false;
            }
        }
        true
    }

    /// A client's message was not even looked at.
    pub fn refuse(&mut self, to: ClientId, id: Option<RequestId>, refusal: &Refusal) {
        self.say(
            to,
            &Said::Error {
                id,
                code: refusal.code,
                reason: &refusal.reason,
            },
        );
    }

    fn obey(
        &mut self,
        from: ClientId,
        id: Option<&RequestId>,
        request: Request,
        now: Instant,
    ) -> Result<Obeyed, Refusal> {
        match request {
            Request::Beat {} => Ok(Obeyed::Answered),
            Request::State {} => {
                self.tell_state(from);
                Ok(Obeyed::Done)
            }
            Request::Set { output, on } => self.set(from, &output, on),
            Request::Move { servo, velocity, to } => self.steer(from, &servo, velocity, to, now),
            Request::Camera { control, value } => self.set_control(from, control, value),
            Request::Snapshot {} => self.snapshot(from, id, now),
            Request::Message { text, to } => self.relay(from, &text, to),
        }
    }

    fn permit(&self, client: ClientId, capability: Capability) -> Result<&Client, Refusal> {
        let client = self.clients.get(&client);
        client
            .filter(|client| client.rights.may(capability))
            .ok_or_else(|| {
                let name = capability.name();
                Refusal::new(
                    Code::Permission,
                    format!("this viewer may not use `{name}` here (`{name}` in [control] of the node's configuration)"),
                )
            })
    }

    fn working(&self, part: Part) -> Result<(), Refusal> {
        match self.faults.get(&part) {
            Some(fault) => Err(Refusal::new(Code::Fault, fault.clone())),
            None => Ok(()),
        }
    }

    fn set(&mut self, from: ClientId, name: &str, on: bool) -> Result<Obeyed, Refusal> {
        self.permit(from, Capability::Outputs)?;
        let names = self.gpio.outputs.iter().map(|output| &output.name);
        let index = find(names, name, "output")?;
        self.working(Part::Output(index))?;
        match self.gpio.outputs[index].kind {
            OutputKind::Latching => self.switch(index, on),
            OutputKind::Momentary => {
                let holders = &mut self.outputs[index].holders;
                if on {
                    holders.insert(from);
                } else {
                    holders.remove(&from);
                }
                self.settle(index);
            }
        }
        Ok(Obeyed::Done)
    }

    fn steer(
        &mut self,
        from: ClientId,
        name: &str,
        velocity: Option<f64>,
        to: Option<f64>,
        now: Instant,
    ) -> Result<Obeyed, Refusal> {
        self.permit(from, Capability::Servos)?;
        let names = self.gpio.servos.iter().map(|servo| &servo.name);
        let index = find(names, name, "servo")?;
        self.working(Part::Servo(index))?;
        let limits = &self.gpio.servos[index];
        let servo = &mut self.servos[index];
        match (velocity, to) {
            (Some(velocity), _) => servo.motion.go(velocity, now),
            (None, Some(to)) if (limits.min..=limits.max).contains(&to) => servo.motion.go_to(to, now),
            (None, Some(to)) => {
                let reason = format!(
                    "`to` is {to}; `{name}` turns from {} to {}",
                    limits.min, limits.max
                );
                return Err(Refusal::new(Code::Range, reason));
            }
            (None, None) => {}
        }
        servo.commander = Some(from);
        self.turned(index, now);
        Ok(Obeyed::Done)
    }

    fn set_control(&mut self, from: ClientId, name: String, value: i64) -> Result<Obeyed, Refusal> {
        self.permit(from, Capability::Camera)?;
        let (camera, controls) = self.camera_of(from).unwrap_or((0, &[]));
        let Some(control) = controls.iter().find(|control| control.name == name) else {
            let known: Vec<_> = controls.iter().map(|control| control.name.as_str()).collect();
            let known = if known.is_empty() {
                "it has none now".to_owned()
            } else {
                format!("it has {}", known.join(", "))
            };
            let name: String = name.escape_debug().take(40).collect();
            return Err(Refusal::new(
                Code::Unknown,
                format!("the camera has no control `{name}`; {known}"),
            ));
        };
        let range = i64::from(control.min)..=i64::from(control.max);
        if !range.contains(&value) {
            let reason = format!(
                "`value` is {value}; {name} takes {} to {}",
                control.min, control.max
            );
            return Err(Refusal::new(Code::Range, reason));
        }
        if let Some(fault) = &control.fault {
            return Err(Refusal::new(Code::Fault, format!("{name}: {fault}")));
        }
        self.orders.push_back(Order::Camera(camera, name, value));
        Ok(Obeyed::Done)
    }

    fn snapshot(&mut self, from: ClientId, id: Option<&RequestId>, now: Instant) -> Result<Obeyed, Refusal> {
        let client = self.permit(from, Capability::Snapshot)?;
        if client.picture.is_some() {
            return Err(Refusal::new(Code::Busy, "a picture is on its way already"));
        }
        if self.private {
            return Err(Refusal::private());
        }
        let Some((camera, _)) = self.camera_of(from) else {
            return Err(Refusal::new(Code::Nopicture, "there is no camera"));
        };
        if let Some(client) = self.clients.get_mut(&from) {
            client.picture = Some((id.cloned(), Some(now)));
        }
        self.orders.push_back(Order::Picture(from, camera));
        Ok(Obeyed::Answered)
    }

    /// The picture is there: the id of the request for it, where the client still waits for it. It may ask for the next
    /// one when this one was delivered ([`Room::delivered`]).
    pub fn picture(&mut self, client: ClientId) -> Option<Option<RequestId>> {
        let (id, since) = self.clients.get_mut(&client)?.picture.as_mut()?;
        // The way over the network takes what it takes; a client that is stuck leaves in the end.
        since.take()?;
        Some(id.clone())
    }

    /// A picture does not come.
    pub fn no_picture(&mut self, client: ClientId, why: &Refusal) {
        let picture = self
            .clients
            .get_mut(&client)
            .and_then(|client| client.picture.take());
        if let Some((id, _)) = picture {
            self.refuse(client, id, why);
        }
    }

    /// All parts of a picture are on their way.
    pub fn delivered(&mut self, client: ClientId) {
        if let Some(client) = self.clients.get_mut(&client) {
            client.picture = None;
        }
    }

    fn relay(&mut self, from: ClientId, text: &str, to: Option<u64>) -> Result<Obeyed, Refusal> {
        let sender = self.permit(from, Capability::Messages)?;
        let is_socket = |client: &Client| client.origin == Origin::Socket;
        let outward = is_socket(sender);
        let said = Said::Message {
            from: &sender.name,
            client: from.0,
            text,
        }
        .text();
        let hears = |(id, client): &(&ClientId, &Client)| {
            is_socket(client) != outward
                && client.rights.may(Capability::Messages)
                && to.is_none_or(|to| to == id.0)
        };
        let told: Vec<_> = self.clients.iter().filter(hears).map(|(id, _)| *id).collect();
        if told.is_empty() {
            let reason = if outward {
                "no such viewer is there that takes messages"
            } else {
                "no program is at the socket"
            };
            return Err(Refusal::new(Code::Nobody, reason));
        }
        for client in told {
            self.orders.push_back(Order::Say(client, said.clone()));
        }
        Ok(Obeyed::Done)
    }
}

fn find<'a>(
    names: impl Iterator<Item = &'a PartName> + Clone,
    wanted: &str,
    kind: &str,
) -> Result<usize, Refusal> {
    names
        .clone()
        .position(|name| name.as_str() == wanted)
        .ok_or_else(|| {
            let known: Vec<_> = names.map(PartName::as_str).collect();
            let known = if known.is_empty() {
                "there is none".to_owned()
            } else {
                format!("there is {}", known.join(", "))
            };
            // What was asked for may be anything.
            let wanted: String = wanted.escape_debug().take(40).collect();
            Refusal::new(Code::Unknown, format!("there is no {kind} `{wanted}`; {known}"))
        })
}
