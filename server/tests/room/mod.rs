//! A hub with its clock, for tests by tables.

#![allow(dead_code, reason = "each test file uses its part")]

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use pinhole_server::budget::{Budget, Size, Source};
use pinhole_server::hub::{
    Answer, Bound, Client, Command, Event, Hub, Input, Limits, Pace, Parcel, RequestId,
};
use pinhole_signaling::{MemberKey, PeerId};

pub const ABSENT: Duration = Duration::from_secs(30);

pub fn limits() -> Limits {
    Limits {
        members: bound(10),
        roster_bytes: 1 << 20,
        mailbox_messages: bound(3),
        mailbox_bytes: bound(1000),
        sign_ins: Pace {
            at_once: u32::MAX,
            every: Duration::ZERO,
        },
        absent: ABSENT,
        first_wait: ABSENT,
        is_bound: true,
    }
}

/// One client may have it all.
pub fn bound(all: usize) -> Bound {
    Bound { all, each: all }
}

pub fn source() -> Source {
    Source(Ipv4Addr::LOCALHOST.into())
}

/// More than any of these tests needs.
pub fn budget() -> Budget {
    Budget::new(Size {
        whole: 1 << 30,
        share: 1 << 30,
    })
}

/// A hub with its clock, and requests numbered from 1.
pub struct Room {
    pub hub: Hub,
    pub now: Instant,
    /// Where what comes next comes from.
    pub source: Source,
    /// What it shows.
    pub key: Option<MemberKey>,
    requests: u64,
}

impl Room {
    pub fn new(limits: Limits) -> Room {
        Room {
            hub: Hub::new(limits, budget()),
            now: Instant::now(),
            source: source(),
            key: None,
            requests: 0,
        }
    }

    pub fn input(&mut self, input: Input) -> Vec<Command> {
        self.hub.handle(input, self.now)
    }

    pub fn client(&self) -> Client {
        Client {
            source: self.source,
            key: self.key,
        }
    }

    pub fn request(&mut self) -> RequestId {
        self.requests += 1;
        RequestId(self.requests)
    }

    pub fn sign_in(&mut self, name: &str) -> (Answer, Vec<Command>) {
        let request = self.request();
        let mut commands = self.input(Input::SignIn {
            request,
            name: name.into(),
            client: self.client(),
        });
        let answer = commands.pop();
        match answer {
            Some(Command::Answer {
                request: answered,
                answer,
            }) if answered == request => (answer, commands),
            other => panic!("{other:?}"),
        }
    }

    /// Opens a wait; gives its request and its answer, if it has one already.
    pub fn wait(&mut self, id: u64) -> (RequestId, Option<Answer>) {
        let request = self.request();
        let commands = self.input(Input::Wait {
            request,
            id: peer(id),
            client: self.client(),
        });
        (request, answer_to(request, &commands))
    }

    /// Fetches the next event, which must be there.
    pub fn fetch(&mut self, id: u64) -> Answer {
        let (request, answer) = self.wait(id);
        self.input(Input::Delivered { request });
        answer.unwrap()
    }

    /// Fetches the next event, which must be of presence.
    pub fn fetch_entry(&mut self, id: u64) -> String {
        match self.fetch(id) {
            Answer::Event(Event::Presence(entry)) => String::from_utf8(entry.to_vec()).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    pub fn send(&mut self, from: u64, to: u64, body: &'static str) -> (Answer, Vec<Command>) {
        let request = self.request();
        let commands = self.input(Input::Send {
            request,
            from: peer(from),
            to: peer(to),
            parcel: parcel(body),
            client: self.client(),
        });
        (answer_to(request, &commands).unwrap(), commands)
    }

    pub fn sign_in_id(&mut self, name: &str) -> u64 {
        match self.sign_in(name).0 {
            Answer::SignedIn { id, .. } => id.get(),
            other => panic!("{other:?}"),
        }
    }

    pub fn sign_out(&mut self, id: u64) -> Vec<Command> {
        let (request, id, client) = (self.request(), peer(id), self.client());
        self.input(Input::SignOut { request, id, client })
    }

    pub fn after(&mut self, time: Duration) -> Vec<Command> {
        self.now += time;
        self.input(Input::Tick)
    }
}

pub fn peer(id: u64) -> PeerId {
    PeerId::new(id).unwrap()
}

pub fn parcel(body: &'static str) -> Parcel {
    Parcel {
        content_type: Bytes::from_static(b"text/plain"),
        body: Bytes::from_static(body.as_bytes()),
    }
}

pub fn answer_to(request: RequestId, commands: &[Command]) -> Option<Answer> {
    commands.iter().find_map(|command| match command {
        Command::Answer {
            request: answered,
            answer,
        } if *answered == request => Some(answer.clone()),
        _ => None,
    })
}

pub fn presence(entry: &'static str) -> Answer {
    Answer::Event(Event::Presence(Bytes::from_static(entry.as_bytes())))
}

pub fn message(from: u64, body: &'static str) -> Answer {
    Answer::Event(Event::Message {
        from: peer(from),
        parcel: parcel(body),
    })
}

pub fn signed_in(id: u64, roster: &'static str) -> Answer {
    Answer::SignedIn {
        id: peer(id),
        roster: Bytes::from_static(roster.as_bytes()),
    }
}
