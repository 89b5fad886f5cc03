//! A call to a node, from signing in to signing out.
//!
//! [`session`] thinks; this carries out what it says, and carries in what happens: from the server
//! ([`membership`]), from the connection ([`connection`]), from the decoder, and from the clock.

mod connection;
mod ending;
mod event;
mod membership;
mod naming;
mod roster;
mod session;
mod slate;

use std::{
    future::Future,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use pinhole_service::quiet::Quiet;
use pinhole_signaling::{
    CallTag, ClientError, Envelope, Event, Member, Message, Name, PeerId, ServerUrl, Token,
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{self, MissedTickBehavior},
};
use tokio_util::sync::CancellationToken;
use webrtc::media_stream::track_remote::TrackRemote;

use crate::{
    printable::printable,
    receive::{
        Codec,
        decode::Picture,
        intake::VideoTotals,
        reception::Totals,
        stream::{self, Outlets},
    },
    record::Recorder,
    report::statistics::{Figures, Statistics, Totalled},
};
use connection::{Connection, Report, Settings};
pub use ending::Ending;
use event::{Command, Input};
use membership::{Membership, News};
use naming::Naming;
use session::Session;
use slate::Camera;
pub use slate::Slate;

/// Pictures that may wait to be counted.
const PICTURES: usize = 256;

/// What to watch, and how.
#[derive(Clone, Debug)]
pub struct Watch {
    /// The signaling server.
    pub server: ServerUrl,
    /// The access token, where the server wants one.
    pub token: Option<Token>,
    /// The node's name, or its start.
    pub node: String,
    /// How long the node may take to come.
    pub patience: Duration,
    /// How long to watch, from the first picture; `None`: until something ends it.
    pub time: Option<Duration>,
    /// How often to tell the figures.
    pub interval: Duration,
    /// Video codecs to offer, the preferred one first.
    pub codecs: Vec<Codec>,
    /// STUN and TURN servers.
    pub ice_servers: Vec<String>,
}

/// Whom a call tells what goes on.
pub trait Audience {
    /// A sentence for the person.
    fn tell(&mut self, text: &str);
    /// An interval has passed. `false`: nobody listens any more.
    fn interval(&mut self, figures: &Figures) -> bool;
    /// From this second of the call on the node sends this in place of the camera's picture; `None`: the picture again.
    fn slate(&mut self, second: f64, slate: Option<&Slate>);
}

/// What came of a call.
#[derive(Debug)]
pub struct Outcome {
    /// Why it ended.
    pub ending: Ending,
    /// The node's full name, if it was found.
    pub node: Option<String>,
    /// What the node sent in the end in place of the camera's picture.
    pub slate: Option<Slate>,
    /// What was seen.
    pub total: Totalled,
}

/// The members of a server other than ourselves. Signs in to ask, and out again.
///
/// # Errors
/// Where the server can't be asked.
pub async fn list(server: &ServerUrl, token: Option<&Token>) -> Result<Vec<Member>, Ending> {
    let signed_in = Membership::sign_in(server, token, &our_name()).await;
    let (membership, members) = signed_in.map_err(|error| no_server(&error))?;
    membership.leave(None).await;
    Ok(members)
}

/// Calls a node and watches it until the call ends or `stop` does.
pub async fn watch(
    options: &Watch,
    recorder: Option<Recorder>,
    audience: &mut dyn Audience,
    stop: impl Future<Output = Ending>,
) -> Outcome {
    let now = Instant::now();
    let mut statistics = Statistics::new(now);
    let signed_in = Membership::sign_in(&options.server, options.token.as_ref(), &our_name()).await;
    let (membership, members) = match signed_in {
        Ok(signed_in) => signed_in,
        Err(error) => {
            let ending = no_server(&error);
            return Outcome {
                ending,
                node: None,
                slate: None,
                total: statistics.total(Instant::now()),
            };
        }
    };
    let mut call = Call::new(options, recorder, membership, now);
    let ending = call.run(members, &mut statistics, audience, stop).await;
    let node = call.session.node().cloned();
    let slate = call.camera.slate().cloned();
    call.finish(node.as_ref()).await;
    let node = node.map(|node| printable(&node.name.to_string()));
    Outcome {
        ending,
        node,
        slate,
        total: statistics.total(Instant::now()),
    }
}

/// Why the server did not take us in, and what the person can do about it.
fn no_server(error: &ClientError) -> Ending {
    let advice = match error {
        ClientError::TokenWanted => "; give its file with --token-file, or name that in PINHOLE_TOKEN_FILE",
        ClientError::TokenRefused => {
            "; compare the file of --token-file (or PINHOLE_TOKEN_FILE) with the server's"
        }
        _ => "",
    };
    Ending::NoServer(format!("{error}{advice}"))
}

/// A name that no other viewer is likely to have, and that others see is a viewer's.
fn our_name() -> Name {
    Name::from(format!("viewer_{:04x}@terminal", std::process::id() & 0xFFFF).as_str())
}

struct Call<'a> {
    options: &'a Watch,
    settings: Settings,
    session: Session,
    membership: Membership,
    connection: Option<Connection>,
    /// Whom the connection is to; its candidates go there.
    peer: Option<PeerId>,
    naming: Naming,
    camera: Camera,
    recorder: Option<Recorder>,
    /// Everything that reads tracks of the connection.
    readers: JoinSet<std::io::Result<()>>,
    stop_readers: CancellationToken,
    pictures: (mpsc::Sender<Picture>, mpsc::Receiver<Picture>),
    video: watch::Sender<VideoTotals>,
    audio: watch::Sender<Option<Totals>>,
}

impl<'a> Call<'a> {
    fn new(options: &'a Watch, recorder: Option<Recorder>, membership: Membership, now: Instant) -> Self {
        let host = options.server.host();
        let loopback =
            host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
        let settings = Settings {
            codecs: options.codecs.clone(),
            ice_servers: options.ice_servers.clone(),
            loopback,
        };
        Self {
            options,
            settings,
            session: Session::new(options.node.clone(), options.patience, options.time, now),
            membership,
            connection: None,
            peer: None,
            naming: Naming::default(),
            camera: Camera::default(),
            recorder,
            readers: JoinSet::new(),
            stop_readers: CancellationToken::new(),
            pictures: mpsc::channel(PICTURES),
            video: watch::Sender::default(),
            audio: watch::Sender::default(),
        }
    }

    async fn run(
        &mut self,
        members: Vec<Member>,
        statistics: &mut Statistics,
        audience: &mut dyn Audience,
        stop: impl Future<Output = Ending>,
    ) -> Ending {
        let mut stop = pin!(stop);
        let period = self.options.interval;
        let mut intervals = time::interval_at(time::Instant::now() + period, period);
        intervals.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut input = Some(Input::SignedIn(members));
        loop {
            if let Some(input) = input.take()
                && let Some(ending) = self.handle(input, statistics, audience).await
            {
                return ending;
            }
            let deadline = self.session.deadline();
            input = tokio::select! {
                biased;
                ending = &mut stop => return ending,
                _ = intervals.tick() => {
                    self.count(statistics);
                    let figures = statistics.interval(Instant::now());
                    // Before there is anybody to call there are none.
                    if self.session.node().is_some() && !audience.interval(&figures) {
                        return Ending::Stopped;
                    }
                    None
                }
                () = at(deadline) => Some(Input::Tick),
                Some(picture) = self.pictures.1.recv() => {
                    statistics.picture(picture);
                    Some(Input::Picture)
                }
                report = report(&mut self.connection) => self.reported(report, statistics, audience).await,
                news = self.membership.news() => self.heard(news),
                Some(ended) = self.readers.join_next() => match ended {
                    Ok(Ok(())) => None,
                    Ok(Err(error)) => return Ending::Fault(format!("cannot receive: {error}")),
                    Err(error) => return Ending::Fault(format!("receiving failed: {error}")),
                },
            };
        }
    }

    /// Lets the session think about an event, and does what it says. An ending is the end.
    async fn handle(
        &mut self,
        input: Input,
        statistics: &mut Statistics,
        audience: &mut dyn Audience,
    ) -> Option<Ending> {
        for command in self.session.handle(input, Instant::now()) {
            let done = match command {
                Command::Tell(text) => {
                    audience.tell(&text);
                    Ok(())
                }
                Command::HangUp(peer) => {
                    self.membership.send(peer, self.naming.say(Message::Bye));
                    Ok(())
                }
                Command::RenewWait => {
                    self.membership.renew_wait();
                    Ok(())
                }
                Command::End(ending) => {
                    self.count(statistics);
                    return Some(ending);
                }
                Command::Offer(to) => {
                    if let Some(node) = self.session.node() {
                        audience.tell(&format!("calling \"{}\"", printable(&node.name.to_string())));
                    }
                    statistics.offered(Instant::now());
                    self.offer(to).await
                }
                Command::AnswerAnew(to, offer) => match self.connect(to).await {
                    Ok(()) => self.answer(to, offer).await,
                    Err(error) => Err(error),
                },
                Command::Answer(to, offer) => self.answer(to, offer).await,
                Command::Accept(answer) => match &self.connection {
                    Some(connection) => connection.accept(answer).await,
                    None => Ok(()),
                },
                Command::Add(candidate) => {
                    if let Some(connection) = &self.connection
                        && let Err(error) = connection.add(candidate).await
                    {
                        tracing::debug!(%error, "passed over an address of the node");
                    }
                    Ok(())
                }
            };
            if let Err(error) = done {
                // Thinking again about a failure ends in an ending: there is no second round of this.
                let commands = self
                    .session
                    .handle(Input::Unusable(error.to_string()), Instant::now());
                self.count(statistics);
                return commands.into_iter().find_map(|command| match command {
                    Command::End(ending) => Some(ending),
                    _ => None,
                });
            }
        }
        None
    }

    /// Replaces the connection by a new one.
    async fn connect(&mut self, to: PeerId) -> webrtc::error::Result<()> {
        self.disconnect().await;
        self.connection = Some(Connection::new(&self.settings).await?);
        self.peer = Some(to);
        Ok(())
    }

    async fn offer(&mut self, to: PeerId) -> webrtc::error::Result<()> {
        self.connect(to).await?;
        self.naming.begin(CallTag::random());
        if let Some(connection) = &mut self.connection {
            let offer = Message::Description(connection.offer().await?);
            self.membership.send(to, self.naming.say(offer));
        }
        Ok(())
    }

    async fn answer(&mut self, to: PeerId, offer: String) -> webrtc::error::Result<()> {
        self.peer = Some(to);
        if let Some(connection) = &self.connection {
            let answer = Message::Description(connection.answer(offer).await?);
            self.membership.send(to, self.naming.say(answer));
        }
        Ok(())
    }

    async fn reported(
        &mut self,
        report: Report,
        statistics: &Statistics,
        audience: &mut dyn Audience,
    ) -> Option<Input> {
        match report {
            Report::Said(message) => {
                if self.camera.hear(&message) {
                    audience.slate(statistics.second(Instant::now()), self.camera.slate());
                }
            }
            Report::Path(path) => return Some(Input::Path(path)),
            Report::Candidate(candidate) => {
                // The server may have been restarted since: its own word for the node is the newest.
                let node = self.session.node().map(|node| node.id).or(self.peer);
                if let Some(node) = node {
                    let candidate = Message::Candidate(candidate);
                    self.membership.send(node, self.naming.say(candidate));
                }
            }
            Report::Video(track) => self.read_video(track).await,
            Report::Audio(track) => {
                let (audio, stop) = (self.audio.clone(), self.stop_readers.clone());
                self.readers.spawn(async move {
                    stream::audio(track, audio, stop).await;
                    Ok(())
                });
            }
        }
        None
    }

    async fn read_video(&mut self, track: Arc<dyn TrackRemote>) {
        let codecs = match &self.connection {
            Some(connection) => connection.payload_types().await,
            None => return,
        };
        let outlets = Outlets {
            pictures: self.pictures.0.clone(),
            totals: self.video.clone(),
            recorder: self.recorder.clone(),
        };
        let stop = self.stop_readers.clone();
        self.readers.spawn(stream::video(track, codecs, outlets, stop));
    }

    fn count(&self, statistics: &mut Statistics) {
        statistics.video(*self.video.borrow());
        if let Some(audio) = *self.audio.borrow() {
            statistics.audio(audio);
        }
    }

    async fn disconnect(&mut self) {
        self.stop_readers.cancel();
        while self.readers.join_next().await.is_some() {}
        self.stop_readers = CancellationToken::new();
        if let Some(connection) = self.connection.take() {
            connection.close().await;
        }
    }

    /// Hangs up, and leaves the server.
    async fn finish(mut self, node: Option<&Member>) {
        let hang_up = node.map(|node| node.id).filter(|_| self.peer.is_some());
        let hang_up = hang_up.map(|node| (node, self.naming.say(Message::Bye)));
        tracing::debug!(node = self.options.node, "hanging up");
        self.disconnect().await;
        self.membership.leave(hang_up).await;
    }

    fn heard(&mut self, news: News) -> Option<Input> {
        let News::Event(Event::Message { from, body }) = news else {
            return happened(news);
        };
        match Envelope::parse(&body) {
            Ok(envelope) => {
                let message = self.naming.hear(envelope)?;
                Some(Input::Message { from, message })
            }
            Err(error) => {
                static UNREADABLE: Quiet = Quiet::new(5);
                if let Some(others) = UNREADABLE.may_say() {
                    tracing::warn!(%from, %error, others, "passed over a message");
                }
                None
            }
        }
    }
}

/// What news is, but for messages.
fn happened(news: News) -> Option<Input> {
    Some(match news {
        News::SignedIn(members) => Input::SignedIn(members),
        // The errors' own words tell a program to sign in again. That is our part, not the person's.
        News::Gone(ClientError::Closing) => Input::ServerGone("the signaling server shuts down".to_owned()),
        News::Gone(ClientError::Forgotten) => {
            Input::ServerGone("the signaling server was restarted".to_owned())
        }
        News::Gone(error) => Input::ServerGone(error.to_string()),
        News::Back => Input::ServerBack,
        News::Undelivered(to) => Input::Undelivered(to),
        News::Event(Event::Presence(member)) => Input::Presence(member),
        News::Event(Event::Message { .. }) => return None,
    })
}

async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

async fn report(connection: &mut Option<Connection>) -> Report {
    match connection {
        Some(connection) => connection.report().await,
        None => std::future::pending().await,
    }
}
