use tokio::sync::watch;

use crate::{
    pipeline::{self, Condition, SoundCondition, SoundState},
    presence::{self, Standing},
};

/// What a line about the node tells, and the wait for a change of it.
#[derive(Clone, Debug)]
pub struct Watch {
    pub(super) presence: watch::Receiver<Standing>,
    pub(super) camera: watch::Receiver<Condition>,
    pub(super) microphone: watch::Receiver<SoundCondition>,
    pub(super) viewers: watch::Receiver<usize>,
}

impl Watch {
    /// Waits until the sign-in, the camera, the microphone or the number of viewers has changed since the last call. Never, once
    /// the node has ended. Cancel safe.
    pub async fn changed(&mut self) {
        tokio::select! {
            Ok(()) = self.presence.changed() => {}
            Ok(()) = self.camera.changed() => {}
            Ok(()) = self.microphone.changed() => {}
            Ok(()) = self.viewers.changed() => {}
            else => std::future::pending().await,
        }
    }

    /// How the node is, in one line of words.
    pub fn line(&self) -> String {
        let signaling = signaling(&self.presence.borrow());
        let camera = camera(&self.camera.borrow().state);
        // Sound is told of where it is or should be: most nodes have none, and where nobody listens nothing is amiss.
        let sound = match &self.microphone.borrow().state {
            SoundState::Off | SoundState::Idle | SoundState::Opening => String::new(),
            SoundState::Live { .. } => "; microphone live".to_owned(),
            SoundState::Faulted { why } => format!("; no sound: {why}"),
        };
        let viewers = match *self.viewers.borrow() {
            0 => "no viewer".to_owned(),
            1 => "1 viewer".to_owned(),
            several => format!("{several} viewers"),
        };
        format!("{signaling}; {camera}{sound}; {viewers}")
    }
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

pub(super) fn camera(state: &pipeline::State) -> String {
    match state {
        pipeline::State::Idle => "camera closed, as nobody watches".to_owned(),
        pipeline::State::Opening => "camera opening".to_owned(),
        pipeline::State::Live { format, .. } => format!("camera live {} at {}", format.size, format.rate),
        pipeline::State::Faulted { why } => format!("no picture: {why}"),
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
        samples.camera(samples::faulted());
        samples.viewers.send_replace(1);
        assert!(
            watch.line().ends_with("; no picture: it was unplugged; 1 viewer"),
            "{}",
            watch.line()
        );
    }

    #[test]
    fn sound_is_told_of_where_it_is_or_should_be() {
        let samples = Samples::default();
        let watch = samples.watch();
        samples.microphone(SoundState::Faulted {
            why: "it was unplugged".to_owned(),
        });
        assert!(
            watch.line().contains("; no sound: it was unplugged; no viewer"),
            "{}",
            watch.line()
        );
        samples.microphone(SoundState::Idle);
        assert!(!watch.line().contains("sound"), "{}", watch.line());
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
        drop(samples);
        assert!(nothing(&mut watch).await, "a node that has ended does not spin");
    }
}
