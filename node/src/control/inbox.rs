use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use super::{
    Account, CameraControl, CameraNumber, ClientId, Origin, Refusal, Settings, Surroundings, gpio::Wake,
    snapshot::Jpeg,
};

/// Messages of clients that may wait for the thread. It takes them all at once, in less than a millisecond.
const MAIL: usize = 256;

/// The way to a client. Nothing here blocks.
pub trait Outlet: Send {
    /// Takes a message along, or tells that there is no room for it.
    ///
    /// # Errors
    /// The client takes nothing at present.
    fn say(&self, text: String) -> Result<(), Behind>;

    /// Whether there is room for another message of the longest kind.
    fn has_room(&self) -> bool;

    /// Whether nobody is there any more.
    fn is_gone(&self) -> bool;
}

/// A client takes nothing at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behind;

/// The thread has more to do than it can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// What comes in, in order.
pub(super) enum Mail {
    Join {
        client: ClientId,
        name: String,
        origin: Origin,
        camera: Option<CameraNumber>,
        outlet: Box<dyn Outlet>,
    },
    Hear {
        client: ClientId,
        text: String,
    },
    /// It sends faster than anybody looks.
    Flood {
        client: ClientId,
        refusal: Refusal,
    },
    Leave {
        client: ClientId,
    },
    Picture {
        client: ClientId,
        picture: Result<Jpeg, Refusal>,
    },
}

/// All that has come since the last look. But for the mail, only the newest counts.
#[derive(Default)]
pub(super) struct News {
    pub(super) mail: VecDeque<Mail>,
    pub(super) settings: Option<Settings>,
    pub(super) surroundings: Option<Surroundings>,
    pub(super) cameras: BTreeMap<CameraNumber, Option<Vec<CameraControl>>>,
    pub(super) pictures: BTreeMap<CameraNumber, Option<String>>,
    pub(super) speaker: Option<Option<String>>,
    pub(super) edges: bool,
    pub(super) stopping: bool,
}

impl News {
    fn is_empty(&self) -> bool {
        self.mail.is_empty()
            && self.settings.is_none()
            && self.surroundings.is_none()
            && self.cameras.is_empty()
            && self.pictures.is_empty()
            && self.speaker.is_none()
            && !self.edges
            && !self.stopping
    }
}

/// Where everybody reaches the thread, from threads and tasks alike. Cheap to clone; nothing here blocks or grows.
#[derive(Clone)]
pub struct Handle(Arc<Shared>);

struct Shared {
    news: Mutex<News>,
    arrived: Condvar,
    clients: AtomicU64,
    account: Arc<Account>,
}

impl Handle {
    pub(super) fn new(account: Arc<Account>) -> Self {
        Self(Arc::new(Shared {
            news: Mutex::default(),
            arrived: Condvar::new(),
            clients: AtomicU64::new(1),
            account,
        }))
    }

    /// Somebody takes part, who watches that camera or none; what it is told leaves by `outlet`.
    ///
    /// # Errors
    /// There is more to do than can be done.
    pub fn join(
        &self,
        name: &str,
        origin: Origin,
        camera: Option<CameraNumber>,
        outlet: Box<dyn Outlet>,
    ) -> Result<ClientId, Full> {
        let client = ClientId(self.0.clients.fetch_add(1, Ordering::Relaxed));
        self.post(Mail::Join {
            client,
            name: name.to_owned(),
            origin,
            camera,
            outlet,
        })?;
        Ok(client)
    }

    /// A client says something.
    ///
    /// # Errors
    /// There is more to do than can be done. Nothing came of it.
    pub fn hear(&self, client: ClientId, text: String) -> Result<(), Full> {
        self.post(Mail::Hear { client, text })
            .inspect_err(|_| self.0.account.flooded.one())
    }

    /// A client said something that was not even looked at; `tell` where it is time to tell it so. Where there is no room for that,
    /// either, it is counted only.
    pub fn flood(&self, client: ClientId, tell: bool) {
        self.0.account.flooded.one();
        if tell {
            let refusal = Refusal::flood();
            let _ = self.post(Mail::Flood { client, refusal });
        }
    }

    /// A client is gone. (It is missed without this word, too, a little later: by its outlet.)
    pub fn leave(&self, client: ClientId) {
        let _ = self.post(Mail::Leave { client });
    }

    /// A picture was made, or not. Whoever asked for it loses patience where this gets lost.
    pub fn picture(&self, client: ClientId, picture: Result<Jpeg, Refusal>) {
        let _ = self.post(Mail::Picture { client, picture });
    }

    /// The rest of the node is so now.
    pub fn surround(&self, surroundings: Surroundings) {
        self.tell(|news| news.surroundings = Some(surroundings));
    }

    /// These are the controls of a camera now; `None` where there is no such camera any more.
    pub fn camera(&self, camera: CameraNumber, controls: Option<Vec<CameraControl>>) {
        self.tell(|news| drop(news.cameras.insert(camera, controls)));
    }

    /// Why there is no picture of a camera; `None` where there is one, as far as is known.
    pub fn picture_fault(&self, camera: CameraNumber, why: Option<String>) {
        self.tell(|news| drop(news.pictures.insert(camera, why)));
    }

    /// Why the loudspeaker plays nothing; `None` where it plays, as far as is known.
    pub fn speaker_fault(&self, why: Option<String>) {
        self.tell(|news| news.speaker = Some(why));
    }

    /// Goes on with another configuration: pins are given up, and taken anew.
    pub fn reconfigure(&self, settings: Settings) {
        self.tell(|news| news.settings = Some(settings));
    }

    pub(super) fn stop(&self) {
        self.tell(|news| news.stopping = true);
    }

    /// For drivers: an input may have changed.
    pub(super) fn wake(&self) -> Wake {
        // It is kept by what is kept here.
        let handle = Arc::downgrade(&self.0);
        Arc::new(move || {
            if let Some(shared) = handle.upgrade() {
                Handle(shared).tell(|news| news.edges = true);
            }
        })
    }

    /// Waits for news, at most until `deadline`, and takes all of them.
    pub(super) fn wait(&self, deadline: Instant) -> News {
        let mut news = self.news();
        while news.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = self.0.arrived.wait_timeout(news, left);
            news = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        std::mem::take(&mut news)
    }

    fn post(&self, mail: Mail) -> Result<(), Full> {
        let mut news = self.news();
        if news.mail.len() >= MAIL {
            return Err(Full);
        }
        news.mail.push_back(mail);
        drop(news);
        self.0.arrived.notify_one();
        Ok(())
    }

    fn tell(&self, change: impl FnOnce(&mut News)) {
        change(&mut self.news());
        self.0.arrived.notify_one();
    }

    fn news(&self) -> MutexGuard<'_, News> {
        self.0.news.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_mail_has_a_bound_and_state_does_not_need_one() {
        let account = Arc::<Account>::default();
        let handle = Handle::new(account.clone());
        for _ in 0..10_000 {
            let _ = handle.hear(ClientId(1), "x".to_owned());
            handle.surround(Surroundings::default());
            handle.wake()();
        }
        assert_eq!(account.flooded.get(), 10_000 - MAIL as u64);
        let news = handle.wait(Instant::now());
        assert_eq!(news.mail.len(), MAIL);
        assert!(news.edges && news.surroundings.is_some() && !news.stopping);
        assert_eq!(handle.hear(ClientId(1), "x".to_owned()), Ok(()));
    }

    #[test]
    fn news_end_a_wait() {
        let handle = Handle::new(Arc::default());
        let other = handle.clone();
        let thread = std::thread::spawn(move || other.wait(Instant::now() + Duration::from_secs(60)));
        handle.stop();
        assert!(thread.join().expect("no panic").stopping);
    }
}
