//! Stays signed in: two tasks that carry events in and messages out, over any server restart.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hasher},
    time::Duration,
};

use pinhole_service::quiet::Quiet;
use pinhole_signaling::{Client, ClientError, Envelope, Event, Member, Name, PeerId, ServerUrl, Token};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time,
};

/// Events and messages that may wait for their reader. A call has a few dozen in its first second.
const QUEUE: usize = 256;
/// The first pause before the server is tried again, and the longest one.
const FIRST_PAUSE: Duration = Duration::from_millis(300);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How long leaving may take: the person has pressed Ctrl-C.
const FAREWELL: Duration = Duration::from_secs(2);

/// What the server has to say.
#[derive(Debug)]
pub enum News {
    /// A new membership, with these others.
    SignedIn(Vec<Member>),
    /// No answer from the server; it is tried again.
    Gone(ClientError),
    /// The server answers again under the old membership.
    Back,
    /// An event.
    Event(Event),
    /// The server says that this peer is gone.
    Undelivered(PeerId),
}

/// Our membership of a server.
pub struct Membership {
    client: watch::Receiver<Client>,
    news: mpsc::Receiver<News>,
    outbox: mpsc::Sender<(PeerId, Envelope)>,
    tasks: JoinSet<()>,
}

impl Membership {
    /// Signs in and stays so.
    ///
    /// # Errors
    /// Where the first sign-in fails; later ones are tried again for ever.
    pub async fn sign_in(
        server: &ServerUrl,
        token: Option<&Token>,
        name: &Name,
    ) -> Result<(Self, Vec<Member>), ClientError> {
        let (first, members) = Client::sign_in(server, token, name).await?;
        let (current, client) = watch::channel(first);
        let (news_in, news) = mpsc::channel(QUEUE);
        let (outbox, messages) = mpsc::channel(QUEUE);
        let mut tasks = JoinSet::new();
        tasks.spawn(deliver(messages, client.clone(), news_in.clone()));
        tasks.spawn(listen(current, news_in, name.clone()));
        Ok((
            Self {
                client,
                news,
                outbox,
                tasks,
            },
            members,
        ))
    }

    /// The next news.
    pub async fn news(&mut self) -> News {
        match self.news.recv().await {
            Some(news) => news,
            // The tasks run as long as this does.
            None => std::future::pending().await,
        }
    }

    /// Hands a message over for sending, after those before it. Where the server takes none for long, what
    /// does not fit the queue is dropped.
    pub fn send(&self, to: PeerId, message: Envelope) {
        if self.outbox.try_send((to, message)).is_err() {
            static DROPPED: Quiet = Quiet::new(5);
            if let Some(others) = DROPPED.may_say() {
                tracing::warn!(%to, others, "too many messages wait for the server; dropped one");
            }
        }
    }

    /// Listens to the server on another connection from now on: that of before may be dead.
    pub fn renew_wait(&self) {
        self.client.borrow().renew_wait();
    }

    /// Hangs up on a peer by this message, if there is one, and leaves the server. A server that does not answer soon notices
    /// by itself.
    pub async fn leave(mut self, hang_up: Option<(PeerId, Envelope)>) {
        self.tasks.shutdown().await;
        let client = self.client.borrow().clone();
        let farewell = async {
            if let Some((peer, goodbye)) = hang_up {
                client.send_of_call(peer, &goodbye).await?;
            }
            client.sign_out().await
        };
        match time::timeout(FAREWELL, farewell).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "left without a farewell"),
            Err(_) => tracing::debug!("left without a farewell: no answer from the server"),
        }
    }
}

/// Sends messages one after the other, in order.
async fn deliver(
    mut messages: mpsc::Receiver<(PeerId, Envelope)>,
    client: watch::Receiver<Client>,
    news: mpsc::Sender<News>,
) {
    while let Some((to, message)) = messages.recv().await {
        let client = client.borrow().clone();
        match client.send_of_call(to, &message).await {
            Ok(()) => {}
            Err(ClientError::PeerGone { to }) => {
                if news.send(News::Undelivered(to)).await.is_err() {
                    return;
                }
            }
            // The listening task notices the same and tells it.
            Err(error) => tracing::debug!(%to, %error, "a message was not sent"),
        }
    }
}

/// Waits for events, and signs in again where the server has forgotten us.
async fn listen(current: watch::Sender<Client>, news: mpsc::Sender<News>, name: Name) {
    let mut pause = Pause::default();
    loop {
        let client = current.borrow().clone();
        let outcome = match client.wait().await {
            Ok(event) => {
                let back = pause.end();
                if back && news.send(News::Back).await.is_err() {
                    return;
                }
                news.send(News::Event(event)).await
            }
            Err(error) => {
                let forgotten = error.ends_membership();
                let told = news.send(News::Gone(error)).await;
                // A server that forgot us answers: no reason to wait before the first try.
                if !forgotten || pause.is_running() {
                    pause.wait().await;
                }
                if forgotten && told.is_ok() {
                    let again = Client::sign_in_with(client.server(), client.token(), &name, client.key());
                    match again.await {
                        Ok((client, members)) => {
                            pause.end();
                            current.send_replace(client);
                            news.send(News::SignedIn(members)).await
                        }
                        Err(error) => {
                            pause.wait().await;
                            news.send(News::Gone(error)).await
                        }
                    }
                } else {
                    told
                }
            }
        };
        if outcome.is_err() {
            return;
        }
    }
}

/// Ever longer pauses between tries, each a little different from those of other clients of the same server.
#[derive(Default)]
struct Pause(Option<Duration>);

impl Pause {
    fn is_running(&self) -> bool {
        self.0.is_some()
    }

    async fn wait(&mut self) {
        let length = self.0.map_or(FIRST_PAUSE, |last| (last * 2).min(LONGEST_PAUSE));
        self.0 = Some(length);
        // 50 to 100 %. The standard library's hasher keys are random; nothing here needs better ones.
        let random = RandomState::new().build_hasher().finish() % 512;
        time::sleep(length / 2 + length * random as u32 / 1024).await;
    }

    /// Whether there was one.
    fn end(&mut self) -> bool {
        self.0.take().is_some()
    }
}
