use std::{future::Future, pin::Pin, task::Poll};

use tokio::sync::watch;

use super::sources::{CameraSource, Roster};
use crate::{
    pipeline::{self, Condition, Overload, SoundCondition, SoundState},
    presence::{self, Standing},
};

/// What a line about the node tells, and the wait for a change of it.
#[derive(Clone, Debug)]
pub struct Watch {
    roster: watch::Receiver<Roster>,
    cameras: Vec<CameraWatch>,
    microphone: watch::Receiver<SoundCondition>,
    viewers: watch::Receiver<usize>,
}

/// How the node is, in short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outlook {
    /// A picture is missing that somebody wants, or the server is not to be reached.
    pub trouble: bool,
    /// It is on its way to its first sign-in.
    pub starting: bool,
    /// Somebody is connected, who gets what is captured.
    pub watched: bool,
}

#[derive(Clone, Debug)]
struct CameraWatch {
    name: Option<String>,
    presence: watch::Receiver<Standing>,
    condition: watch::Receiver<Condition>,
    overload: watch::Receiver<Option<Overload>>,
}

impl Watch {
    pub(super) fn new(
        mut roster: watch::Receiver<Roster>,
        microphone: watch::Receiver<SoundCondition>,
        viewers: watch::Receiver<usize>,
    ) -> Self {
        let cameras = roster
            .borrow_and_update()
            .cameras
            .iter()
            .map(CameraWatch::new)
            .collect();
        Self {
            roster,
            cameras,
            microphone,
            viewers,
        }
    }

    /// Waits until a sign-in, a camera, the microphone or the number of viewers has changed since the last call. Never, once
    /// the node has ended. Cancel safe.
    pub async fn changed(&mut self) {
        tokio::select! {
            Ok(()) = self.roster.changed() => {
                *self = Self::new(self.roster.clone(), self.microphone.clone(), self.viewers.clone());
            }
            () = any_changed(&mut self.cameras) => {}
            Ok(()) = self.microphone.changed() => {}
            Ok(()) = self.viewers.changed() => {}
            else => std::future::pending().await,
        }
    }

    /// How the node is, in so few words that a light can tell them.
    pub fn outlook(&self) -> Outlook {
        let is_faulted =
            |watch: &CameraWatch| matches!(watch.condition.borrow().state, pipeline::State::Faulted { .. });
        let is_away =
            |watch: &CameraWatch| matches!(watch.presence.borrow().state, presence::State::Away { .. });
        let is_new =
            |watch: &CameraWatch| matches!(watch.presence.borrow().state, presence::State::SigningIn);
        Outlook {
            trouble: self
                .cameras
                .iter()
                .any(|watch| is_faulted(watch) || is_away(watch)),
            starting: self.cameras.iter().any(is_new),
            watched: *self.viewers.borrow() > 0,
        }
    }

    /// How the node is, in one line of words.
    pub fn line(&self) -> String {
        let several = self.cameras.len() > 1;
        let cameras = self.cameras.iter().map(|camera| camera.line(several));
        let cameras = cameras.collect::<Vec<_>>().join("; ");
        // Sound is told of where it is or should be: most nodes have none, and where nobody listens nothing is amiss.
        let sound = match &self.microphone.borrow().state {
            SoundState::Off | SoundState::Idle | SoundState::Opening => String::new(),
            SoundState::Private => "; microphone closed by the privacy switch".to_owned(),
            SoundState::Live { .. } => "; microphone live".to_owned(),
            SoundState::Faulted { why } => format!("; no sound: {why}"),
        };
        let viewers = match *self.viewers.borrow() {
            0 => "no viewer".to_owned(),
            1 => "1 viewer".to_owned(),
            several => format!("{several} viewers"),
        };
        format!("{}; {cameras}{sound}; {viewers}", self.signaling())
    }

    /// All of them where they are all signed in, or else the first that is not.
    fn signaling(&self) -> String {
        let standings: Vec<_> = self.cameras.iter().map(|watch| watch.presence.borrow()).collect();
        let is_in = |standing: &Standing| matches!(standing.state, presence::State::SignedIn { .. });
        match standings.iter().find(|standing| !is_in(standing)) {
            Some(away) => signaling(away),
            None => {
                let names: Vec<_> = standings.iter().map(|standing| standing.name.as_str()).collect();
                let server = standings.first().map_or("", |standing| standing.server.as_str());
                format!("signed in to {server} as {}", names.join(", "))
            }
        }
    }
}

impl CameraWatch {
    fn new(source: &CameraSource) -> Self {
        Self {
            name: source.name.clone(),
            presence: source.presence.clone(),
            condition: source.account.watch(),
            overload: source.account.overload(),
        }
    }

    fn line(&self, several: bool) -> String {
        let camera = camera(self.name.as_deref(), several, &self.condition.borrow().state);
        match &*self.overload.borrow() {
            Some(Overload { rate, size, .. }) => {
                format!("{camera}, of which this machine has time for {size} at {rate}")
            }
            None => camera,
        }
    }

    async fn changed(&mut self) {
        tokio::select! {
            Ok(()) = self.presence.changed() => {}
            Ok(()) = self.condition.changed() => {}
            Ok(()) = self.overload.changed() => {}
            else => std::future::pending().await,
        }
    }
}

/// Waits until one of them has changed. Cancel safe.
async fn any_changed(cameras: &mut [CameraWatch]) {
    type Change<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;
    let mut all: Vec<Change<'_>> = cameras
        .iter_mut()
        .map(|camera| Box::pin(camera.changed()) as Change<'_>)
        .collect();
    std::future::poll_fn(|context| {
        if all.iter_mut().any(|one| one.as_mut().poll(context).is_ready()) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

pub(super) fn signaling(standing: &Standing) -> String {
    let Standing { server, name, .. } = standing;
    match &standing.state {
        presence::State::SigningIn => format!("signing in to {server} as {name}"),
        presence::State::SignedIn { .. } => format!("signed in to {server} as {name}"),
        presence::State::Away { why } => format!("not signed in to {server}: {why}"),
        presence::State::SignedOut => format!("signed out of {server}"),
    }
}

pub(super) fn camera(name: Option<&str>, several: bool, state: &pipeline::State) -> String {
    let camera = match name {
        Some(name) => format!("camera {name}"),
        // One at most.
        None if several => "the camera without a name".to_owned(),
        None => "camera".to_owned(),
    };
    match state {
        pipeline::State::Idle => format!("{camera} closed, as nobody watches"),
        pipeline::State::Opening => format!("{camera} opening"),
        pipeline::State::Private => format!("{camera} closed by the privacy switch"),
        pipeline::State::Live { format, .. } => {
            format!("{camera} live {} at {}", format.size, format.rate)
        }
        pipeline::State::Faulted { why } if name.is_none() && !several => format!("no picture: {why}"),
        pipeline::State::Faulted { why } => format!("no picture of {camera}: {why}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sources::samples::{self, Samples};
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_line_says_where_and_what_and_how_many() {
        let samples = Samples::default();
        let watch = samples.watch();
        assert_eq!(
            watch.line(),
            "signing in to http://192.0.2.1:8888 as porch; camera closed, as nobody watches; no viewer"
        );
        samples.sign_in();
        samples.camera(samples::live());
        samples.viewers.send_replace(2);
        assert_eq!(
            watch.line(),
            "signed in to http://192.0.2.1:8888 as porch; camera live 1280x720 at 30 fps; 2 viewers"
        );
        samples.account().gives_up(Some(samples::overload()));
        assert!(
            watch
                .line()
                .contains("at 30 fps, of which this machine has time for 1280x720 at 15 fps; 2"),
            "{}",
            watch.line()
        );
        samples.account().gives_up(None);
        samples.camera(samples::faulted());
        samples.viewers.send_replace(1);
        assert!(
            watch.line().ends_with("; no picture: it was unplugged; 1 viewer"),
            "{}",
            watch.line()
        );
    }

    #[test]
    fn the_line_names_each_of_several_cameras() {
        let samples = Samples::of(&[Some("front"), Some("garden")]);
        let watch = samples.watch();
        samples.cameras[0].sign_in();
        let idle =
            "camera front closed, as nobody watches; camera garden closed, as nobody watches; no viewer";
        assert_eq!(
            watch.line(),
            format!("signing in to http://192.0.2.1:8888 as porch garden; {idle}")
        );
        samples.sign_in();
        assert_eq!(
            watch.line(),
            format!("signed in to http://192.0.2.1:8888 as porch front, porch garden; {idle}")
        );
        samples.camera(samples::faulted());
        assert!(
            watch
                .line()
                .contains("no picture of camera front: it was unplugged; camera garden closed"),
            "{}",
            watch.line()
        );
    }

    #[test]
    fn the_line_tells_a_camera_without_a_name_from_others() {
        let samples = Samples::of(&[None, Some("garden")]);
        let watch = samples.watch();
        assert!(
            watch
                .line()
                .contains("the camera without a name closed, as nobody watches; camera garden closed"),
            "{}",
            watch.line()
        );
        samples.camera(samples::faulted());
        assert!(
            watch
                .line()
                .contains("no picture of the camera without a name: it was unplugged; camera garden"),
            "{}",
            watch.line()
        );
    }

    #[tokio::test]
    async fn each_change_is_told_once() {
        let samples = Samples::default();
        let mut watch = samples.watch();
        let nothing = async |watch: &mut Watch| {
            tokio::time::timeout(Duration::ZERO, watch.changed())
                .await
                .is_err()
        };
        assert!(nothing(&mut watch).await);
        samples.sign_in();
        watch.changed().await;
        assert!(nothing(&mut watch).await);
        samples.camera(samples::live());
        watch.changed().await;
        samples.viewers.send_replace(1);
        watch.changed().await;
        assert!(nothing(&mut watch).await);
        samples.roster.send_modify(|roster| roster.cameras.clear());
        watch.changed().await;
        assert!(!watch.line().contains("camera"), "{}", watch.line());
        drop(samples);
        assert!(nothing(&mut watch).await, "a node that has ended does not spin");
    }
}
