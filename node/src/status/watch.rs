use tokio::sync::watch;

use crate::{
    pipeline::{self, Condition},
    presence::{self, Standing},
};

/// The three things that a line about the node tells, and the wait for a change of them.
#[derive(Clone, Debug)]
pub struct Watch {
    pub(super) presence: watch::Receiver<Standing>,
    pub(super) camera: watch::Receiver<Condition>,
    pub(super) viewers: watch::Receiver<usize>,
}

impl Watch {
    /// Waits until the sign-in, the camera or the number of viewers has changed since the last call. Never, once
    /// the node has ended. Cancel safe.
    pub async fn changed(&mut self) {
        tokio::select! {
            Ok(()) = self.presence.changed() => {}
            Ok(()) = self.camera.changed() => {}
            Ok(()) = self.viewers.changed() => {}
            else => std::future::pending().await,
        }
    }

    /// How the node is, in one line of words.
    pub fn line(&self) -> String {
        let signaling = signaling(&self.presence.borrow());
        let camera = camera(&self.camera.borrow().state);
        let viewers = match *self.viewers.borrow() {
            0 => "no viewer".to_owned(),
            1 => "1 viewer".to_owned(),
            several => format!("{several} viewers"),
        };
        format!("{signaling}; {camera}; {viewers}")
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
        pipeline::State::Private => "camera closed by the privacy switch".to_owned(),
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
