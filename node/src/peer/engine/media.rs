//! What the cameras and the microphone give, on its way to the sessions.

use std::{future::poll_fn, task::Poll, time::Instant};

use tracing::debug;

use super::host::Host;
use crate::{
    media::{AccessUnit, SoundUnit, Timestamp},
    peer::{feed::Feed, session::Output, shard::Task, sound::SoundFeed},
};

impl Host {
    /// Sends one access unit to everyone who watches this rendition of this camera.
    pub(super) fn broadcast(&mut self, index: usize, unit: Option<AccessUnit>) {
        let Some(feed) = self.feeds.get_mut(index) else {
            return;
        };
        let (camera, rendition) = (feed.camera(), feed.rendition());
        let Some(unit) = unit else {
            // The pipeline ended for good, which ends the process; until then nobody waits for more.
            while feed.is_used() {
                feed.leave();
            }
            return;
        };
        // It was on its way when the switch was thrown.
        if self.privacy.blocks(unit.captured_at) {
            return;
        }
        let start = Instant::now();
        let packetised = match feed.packetise(unit) {
            Ok(packetised) => packetised,
            Err(error) => {
                return debug!(codec = %rendition.codec, "an access unit can't be cut into packets: {error}");
            }
        };
        let captured_at = packetised.unit.captured_at;
        let now = Instant::now();
        let served = self.share(
            Task::Picture {
                camera,
                rendition,
                packetised,
            },
            now,
        );
        if served {
            self.tally.figures.sent.record(start.elapsed());
            self.tally
                .figures
                .captured_to_sent
                .record(Timestamp::now().since(captured_at));
        }
        self.limit(index, now);
        self.happen(now);
    }

    /// Sends 20 ms of sound to everyone who hears this codec.
    pub(super) fn broadcast_sound(&mut self, index: usize, unit: Option<SoundUnit>) {
        let Some(feed) = self.sounds.get_mut(index) else {
            return;
        };
        let codec = feed.codec();
        let Some(unit) = unit else {
            // As with pictures: the process is about to end.
            return feed.set_heard(false);
        };
        if self.privacy.blocks(unit.captured_at) {
            return;
        }
        let (captured_at, now) = (unit.captured_at, Instant::now());
        if self.share(Task::Sound { codec, unit }, now) {
            let took = Timestamp::now().since(captured_at);
            self.tally.figures.sound_captured_to_sent.record(took);
        }
        self.happen(now);
    }

    /// Has all sessions that it concerns do something, a crowd by several threads at once. Returns whether anybody got something of a unit.
    /// What they had to tell is for [`Host::happen`].
    pub(super) fn share(&mut self, task: Task, now: Instant) -> bool {
        let Self {
            sessions,
            transport,
            crew,
            events,
            ..
        } = self;
        let crowd = sessions.prepare(&task, |path| transport.is_welcome(path, now));
        crew.work(sessions.shards(), task, crowd, now);
        let outcome = sessions.outcome();
        for (id, output) in outcome.outputs {
            match output {
                Output::Transmit(packet) => transport.send(id, packet.path, &packet.data, now),
                Output::Event(event) => events.push_back((id, event)),
            }
        }
        transport.flush();
        outcome.served
    }
}

/// The next unit of any feed, with the feed's index.
pub(super) async fn next_unit(feeds: &mut [Feed]) -> (usize, Option<AccessUnit>) {
    poll_fn(|context| {
        for (index, feed) in feeds.iter_mut().enumerate() {
            if let Poll::Ready(unit) = feed.poll_unit(context) {
                return Poll::Ready((index, unit));
            }
        }
        Poll::Pending
    })
    .await
}

/// The next sound of any feed, with the feed's index.
pub(super) async fn next_sound(feeds: &mut [SoundFeed]) -> (usize, Option<SoundUnit>) {
    poll_fn(|context| {
        for (index, feed) in feeds.iter_mut().enumerate() {
            if let Poll::Ready(unit) = feed.poll_unit(context) {
                return Poll::Ready((index, unit));
            }
        }
        Poll::Pending
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use bytes::Bytes;
    use tokio::sync::watch;
    use tracing::Span;

    use super::*;
    use crate::{
        fanout::{self, Demand},
        media::{Codec, Layer, Privacy, Rendition},
        peer::{
            engine::{Engine, Parts, Settings},
            feed::PictureIds,
            id::CameraId,
            request::Request,
            transport::Transport,
        },
    };

    fn picture() -> AccessUnit {
        AccessUnit {
            data: Bytes::from_static(b"picture"),
            captured_at: Timestamp::now(),
            is_keyframe: true,
            layer: Layer::Base,
        }
    }

    #[tokio::test]
    async fn what_was_taken_from_the_queue_before_the_privacy_switch_is_not_sent_after_it() {
        let (_, settings) = watch::channel(Settings::default());
        // The fan-out knows another switch, which nobody throws.
        let elsewhere = Privacy::default();
        let (_, silence) = fanout::broadcast([], &Demand::default(), &elsewhere);
        let renditions = [Rendition::top(Codec::Vp8)];
        let (_publishers, broadcast) = fanout::broadcast(renditions, &Demand::default(), &elsewhere);
        let privacy = Privacy::default();
        let (engine, _calls) = Engine::new(Parts {
            transport: Transport::bind(0).expect("a free port"),
            settings,
            sound: silence,
            privacy: privacy.clone(),
            ears: None,
            intake: None,
            threads: NonZeroUsize::MIN,
        });
        let mut host = engine.host;
        host.take(Request::Open {
            camera: CameraId::default(),
            broadcast: broadcast.clone(),
            span: Span::none(),
        });
        let taken = picture();
        privacy.set(true);
        host.broadcast(0, Some(taken.clone()));
        privacy.set(false);
        host.broadcast(0, Some(taken));
        // Each picture that is cut for the wire has a number, and this is the first.
        let ids = PictureIds::default();
        let mut fresh = Feed::new(CameraId::default(), broadcast, renditions[0], &ids, &elsewhere);
        let first = fresh.packetise(picture()).expect("a picture").payloads;
        host.broadcast(0, Some(picture()));
        let second = host.feeds[0].packetise(picture()).expect("a picture").payloads;
        assert_ne!(first, second);
        assert_eq!(fresh.packetise(picture()).expect("a picture").payloads, second);
    }
}
