//! The thinking part of a call: what to do at each event. Without IO and without a clock; the time comes in
//! with every event, and what is to be done goes out as commands.

use std::time::{Duration, Instant};

use pinhole_service::quiet::Quiet;
use pinhole_signaling::{Candidate, DescriptionKind, Member, Message, PeerId, Refusal};

use super::{
    ending::Ending,
    event::{Command, Input, Path},
    roster::{Match, find, names},
};
use crate::printable::printable;

/// How long a node may take to answer an offer, and how often it is called. The first answer may have gone to a connection that is dead
/// without our having noticed.
const ANSWER_PATIENCE: Duration = Duration::from_secs(6);
const ANSWER_TRIES: u32 = 2;
/// How long ICE and DTLS may take after the answer, and how often they are tried. DTLS over a very lossy path
/// can get stuck for good (`rtc` 0.21.1; one call in fifteen at 10 % loss each way); a fresh start helps.
const PATH_PATIENCE: Duration = Duration::from_secs(7);
const PATH_TRIES: u32 = 3;
/// How long the first picture may take after that.
const PICTURE_PATIENCE: Duration = Duration::from_secs(15);
/// How long pictures may go on after their node left the server, before that is believed.
const LEAVE_GRACE: Duration = Duration::from_millis(1500);
/// Candidates kept while there is no remote description to add them to.
const MOST_EARLY_CANDIDATES: usize = 64;

enum Phase {
    /// For the node to come.
    Looking {
        until: Instant,
    },
    /// For its answer to our offer.
    Calling {
        until: Instant,
    },
    /// For a path.
    Connecting {
        until: Instant,
    },
    /// For the first picture.
    Expecting {
        until: Instant,
    },
    /// Pictures have come.
    Watching {
        until: Option<Instant>,
    },
    Over,
}

/// A call to one node.
pub struct Session {
    wanted: String,
    watch_for: Option<Duration>,
    phase: Phase,
    members: Vec<Member>,
    /// Whom we call; its id changes when the server restarts.
    node: Option<Member>,
    /// Why the node is about to hang up.
    refusal: Option<Refusal>,
    /// How often an answer was waited for in vain.
    unanswered: u32,
    /// How often a path was tried in vain.
    vain_tries: u32,
    /// Whether the connection has the node's description.
    described: bool,
    early: Vec<Candidate>,
    /// The person knows that the node is not there yet.
    told_nobody: bool,
    server_gone: bool,
    interrupted: bool,
    left: Option<Instant>,
    last_picture: Option<Instant>,
}

impl Session {
    /// A call to the member called `wanted`, which may take `patience` to come, and from its first picture on
    /// lasts `watch_for`.
    pub fn new(wanted: String, patience: Duration, watch_for: Option<Duration>, now: Instant) -> Self {
        Self {
            wanted,
            watch_for,
            phase: Phase::Looking {
                until: now + patience,
            },
            members: Vec::new(),
            node: None,
            refusal: None,
            unanswered: 0,
            vain_tries: 0,
            described: false,
            early: Vec::new(),
            told_nobody: false,
            server_gone: false,
            interrupted: false,
            left: None,
            last_picture: None,
        }
    }

    /// The node, as soon as it is known.
    pub fn node(&self) -> Option<&Member> {
        self.node.as_ref()
    }

    /// When [`Input::Tick`] is due if nothing else happens.
    pub fn deadline(&self) -> Option<Instant> {
        let phase = match self.phase {
            Phase::Looking { until }
            | Phase::Calling { until }
            | Phase::Connecting { until }
            | Phase::Expecting { until } => Some(until),
            Phase::Watching { until } => until,
            Phase::Over => None,
        };
        let left = self.left.map(|left| left + LEAVE_GRACE);
        phase.into_iter().chain(left).min()
    }

    /// Takes an event and tells what to do about it, in this order.
    pub fn handle(&mut self, input: Input, now: Instant) -> Vec<Command> {
        if matches!(self.phase, Phase::Over) {
            return Vec::new();
        }
        match input {
            Input::SignedIn(members) => self.signed_in(members, now),
            Input::ServerGone(reason) => self.server_gone(&reason),
            Input::ServerBack => self.server_back(),
            Input::Presence(member) => self.presence(member, now),
            Input::Message { from, message } => self.message(from, message, now),
            Input::Undelivered(to) => self.undelivered(to),
            Input::Unusable(what) => self.end(Ending::BadAnswer(what)),
            Input::Path(path) => self.path(path, now),
            Input::Picture => self.picture(now),
            Input::Tick => self.tick(now),
        }
    }

    fn signed_in(&mut self, members: Vec<Member>, now: Instant) -> Vec<Command> {
        let mut commands = self.server_back();
        self.members = members;
        match (&self.phase, &self.node) {
            (Phase::Looking { .. }, _) => commands.extend(self.look(now)),
            // A restarted server numbers anew; the node is known by its name.
            (phase, Some(node)) => {
                let offered = matches!(phase, Phase::Calling { .. });
                let name = node.name.clone();
                let same = self
                    .members
                    .iter()
                    .filter(|member| member.name == name)
                    .max_by_key(|it| it.id);
                if let Some(member) = same.cloned() {
                    let id = member.id;
                    self.node = Some(member);
                    if offered {
                        // The offer, or its answer, went down with the server.
                        commands.extend(self.call(id, now));
                    }
                }
            }
            (_, None) => {}
        }
        commands
    }

    fn server_gone(&mut self, reason: &str) -> Vec<Command> {
        if std::mem::replace(&mut self.server_gone, true) {
            return Vec::new();
        }
        let goes_on = match self.phase {
            Phase::Expecting { .. } | Phase::Watching { .. } => "; the stream goes on without it",
            _ => "; trying again",
        };
        vec![Command::Tell(format!("{reason}{goes_on}"))]
    }

    fn server_back(&mut self) -> Vec<Command> {
        if std::mem::take(&mut self.server_gone) {
            vec![Command::Tell("the signaling server is back".to_owned())]
        } else {
            Vec::new()
        }
    }

    /// Looks for the node among the members.
    fn look(&mut self, now: Instant) -> Vec<Command> {
        match find(&self.wanted, &self.members) {
            Match::One(member) => {
                let member = member.clone();
                let id = member.id;
                self.node = Some(member);
                self.call(id, now)
            }
            Match::Several(members) => {
                let matching = names(members);
                self.end(Ending::Ambiguous {
                    wanted: self.wanted.clone(),
                    matching,
                })
            }
            Match::Nobody => self.wait_for_it(now),
        }
    }

    /// Says once that nobody of that name is there, who is, and for how long it is waited for.
    fn wait_for_it(&mut self, now: Instant) -> Vec<Command> {
        let Phase::Looking { until } = self.phase else {
            return Vec::new();
        };
        let left = until.saturating_duration_since(now);
        // Without patience the ending says the same.
        if left.is_zero() || std::mem::replace(&mut self.told_nobody, true) {
            return Vec::new();
        }
        vec![Command::Tell(format!(
            "no camera called \"{}\" is on the server; there is: {}. Waiting {} s for it (--wait)",
            printable(&self.wanted),
            names(&self.members),
            left.as_secs_f64().ceil(),
        ))]
    }

    fn call(&mut self, id: PeerId, now: Instant) -> Vec<Command> {
        self.phase = Phase::Calling {
            until: now + ANSWER_PATIENCE,
        };
        self.described = false;
        self.refusal = None;
        self.early.clear();
        vec![Command::Offer(id)]
    }

    fn presence(&mut self, member: Member, now: Instant) -> Vec<Command> {
        self.members.retain(|other| other.id != member.id);
        let is_node = self.node.as_ref().is_some_and(|node| node.id == member.id);
        if !member.connected {
            if !is_node {
                return Vec::new();
            }
            if matches!(self.phase, Phase::Watching { .. }) {
                // Its pictures come over another way than the server. They tell whether it is gone.
                self.left = Some(now);
                return Vec::new();
            }
            return self.end(Ending::Left);
        }
        self.members.push(member.clone());
        match (&self.phase, &self.node) {
            (Phase::Looking { .. }, _) => self.look(now),
            (_, Some(node)) if node.name == member.name && !is_node => {
                // The node we watch signed in anew.
                self.node = Some(member);
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    fn message(&mut self, from: PeerId, message: Message, now: Instant) -> Vec<Command> {
        if self.node.as_ref().is_none_or(|node| node.id != from) {
            tracing::debug!(%from, "passed over a message of somebody else");
            return Vec::new();
        }
        let calling = matches!(self.phase, Phase::Calling { .. });
        match message {
            Message::Description(description) => match description.kind {
                DescriptionKind::Offer if calling => {
                    // Both offered. Ours is withdrawn, whatever the other side does with it.
                    self.connect(now);
                    self.described(Command::AnswerAnew(from, description.sdp))
                }
                DescriptionKind::Offer => self.described(Command::Answer(from, description.sdp)),
                DescriptionKind::Answer | DescriptionKind::Pranswer if calling => {
                    if description.kind == DescriptionKind::Answer {
                        self.connect(now);
                    }
                    self.described(Command::Accept(description))
                }
                DescriptionKind::Answer | DescriptionKind::Pranswer => {
                    tracing::debug!("passed over an answer to no offer of ours");
                    Vec::new()
                }
                DescriptionKind::OfferLoopback => {
                    static LOOPBACK: Quiet = Quiet::new(5);
                    if let Some(others) = LOOPBACK.may_say() {
                        tracing::warn!(
                            others,
                            "the node asks for an unencrypted loopback call; passed over"
                        );
                    }
                    Vec::new()
                }
            },
            Message::Candidate(candidate) if self.described => vec![Command::Add(candidate)],
            Message::Candidate(candidate) => {
                if self.early.len() < MOST_EARLY_CANDIDATES {
                    self.early.push(candidate);
                }
                Vec::new()
            }
            Message::Refusal(refusal) if calling => {
                self.end(Ending::Refused(Some(printable(&refusal.reason))))
            }
            Message::Refusal(refusal) => {
                self.refusal = Some(refusal);
                Vec::new()
            }
            Message::Bye if calling => self.end(Ending::Refused(None)),
            Message::Bye => self.hung_up(now),
        }
    }

    /// The node ends the call, perhaps having said why.
    fn hung_up(&mut self, now: Instant) -> Vec<Command> {
        let refusal = self.refusal.take();
        let code = refusal.as_ref().map(|refusal| refusal.code.as_str());
        match (code, &self.phase) {
            // It gave up a little before we did.
            (Some("no_path" | "unfinished"), Phase::Connecting { .. }) => self.try_again(now),
            _ => self.end(Ending::HungUp(refusal.map(|refusal| printable(&refusal.reason)))),
        }
    }

    /// No answer came. Another connection to the server, and a new call, may bring one.
    fn call_again(&mut self, now: Instant) -> Vec<Command> {
        self.unanswered += 1;
        match &self.node {
            Some(node) if self.unanswered < ANSWER_TRIES => {
                let id = node.id;
                let told = Command::Tell("no answer from the node so far; calling anew".to_owned());
                [
                    vec![told, Command::RenewWait, Command::HangUp(id)],
                    self.call(id, now),
                ]
                .concat()
            }
            _ => self.end(Ending::NoAnswer),
        }
    }

    fn connect(&mut self, now: Instant) {
        self.phase = Phase::Connecting {
            until: now + PATH_PATIENCE,
        };
    }

    /// No path was found. A new call may find one.
    fn try_again(&mut self, now: Instant) -> Vec<Command> {
        self.vain_tries += 1;
        match &self.node {
            Some(node) if self.vain_tries < PATH_TRIES => {
                let id = node.id;
                let told = Command::Tell("no network path to the node so far; calling anew".to_owned());
                [vec![told, Command::HangUp(id)], self.call(id, now)].concat()
            }
            _ => self.end(Ending::NoPath),
        }
    }

    /// A command that gives the connection the node's description, then the candidates that were waiting for it.
    fn described(&mut self, command: Command) -> Vec<Command> {
        self.described = true;
        let early = self.early.drain(..).map(Command::Add);
        std::iter::once(command).chain(early).collect()
    }

    fn undelivered(&mut self, to: PeerId) -> Vec<Command> {
        let to_node = self.node.as_ref().is_some_and(|node| node.id == to);
        match self.phase {
            Phase::Calling { .. } | Phase::Connecting { .. } if to_node => self.end(Ending::Left),
            _ => Vec::new(),
        }
    }

    fn path(&mut self, path: Path, now: Instant) -> Vec<Command> {
        match (path, &self.phase) {
            (Path::Up, Phase::Calling { .. } | Phase::Connecting { .. }) => {
                self.phase = Phase::Expecting {
                    until: now + PICTURE_PATIENCE,
                };
                Vec::new()
            }
            (Path::Up, _) if std::mem::take(&mut self.interrupted) => {
                vec![Command::Tell("the connection to the node is back".to_owned())]
            }
            (Path::Interrupted, Phase::Expecting { .. } | Phase::Watching { .. }) if !self.interrupted => {
                self.interrupted = true;
                vec![Command::Tell(
                    "nothing comes from the node; waiting for it".to_owned(),
                )]
            }
            (Path::Failed, Phase::Watching { .. } | Phase::Expecting { .. }) => self.end(Ending::Lost),
            (Path::Failed, _) => self.try_again(now),
            _ => Vec::new(),
        }
    }

    fn picture(&mut self, now: Instant) -> Vec<Command> {
        self.last_picture = Some(now);
        if !matches!(self.phase, Phase::Watching { .. }) {
            self.phase = Phase::Watching {
                until: self.watch_for.map(|time| now + time),
            };
        }
        Vec::new()
    }

    fn tick(&mut self, now: Instant) -> Vec<Command> {
        if let Some(left) = self.left.filter(|left| now >= *left + LEAVE_GRACE) {
            if self.last_picture.is_none_or(|last| last < left + LEAVE_GRACE / 2) {
                return self.end(Ending::Left);
            }
            self.left = None;
            return vec![Command::Tell(
                "the node left the server; its stream goes on".to_owned(),
            )];
        }
        match self.phase {
            Phase::Looking { until } if now >= until => {
                let (wanted, there) = (self.wanted.clone(), names(&self.members));
                self.end(Ending::NotThere { wanted, there })
            }
            Phase::Calling { until } if now >= until => self.call_again(now),
            Phase::Connecting { until } if now >= until => self.try_again(now),
            Phase::Expecting { until } if now >= until => self.end(Ending::NoPicture),
            Phase::Watching { until: Some(until) } if now >= until => self.end(Ending::TimeUp),
            _ => Vec::new(),
        }
    }

    fn end(&mut self, ending: Ending) -> Vec<Command> {
        self.phase = Phase::Over;
        vec![Command::End(ending)]
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
