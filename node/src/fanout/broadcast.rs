use std::{fmt, sync::Arc};

use super::{
    Demand, Figures, depth::Depth, publisher::Publisher, subscriber::Subscriber, track::Track, unit::Unit,
};
use crate::media::Privacy;

/// The tracks of one source, a camera or a microphone: one for each rendition of it. Cheap to clone.
pub struct Broadcast<U: Unit> {
    tracks: Arc<[Arc<Track<U>>]>,
}

/// A source in these renditions: the ends that encoders feed, in the same order, and what is subscribed to. Every change of who
/// takes part is told to `demand`; what `privacy` blocks reaches nobody.
pub fn broadcast<U: Unit, const N: usize>(
    renditions: [U::Rendition; N],
    demand: &Demand,
    privacy: &Privacy,
) -> ([Publisher<U>; N], Broadcast<U>) {
    let tracks = renditions.map(|rendition| Track::new(rendition, demand.clone(), privacy.clone()));
    let publishers = tracks.each_ref().map(|track| Publisher::new(track.clone()));
    let broadcast = Broadcast {
        tracks: tracks.into(),
    };
    (publishers, broadcast)
}

impl<U: Unit> Broadcast<U> {
    /// What there is, the preferred one first.
    pub fn renditions(&self) -> impl Iterator<Item = U::Rendition> {
        self.tracks.iter().map(|track| track.rendition)
    }

    /// Takes part in a rendition from now on: the device is opened and the encoder started where they are not, and the first unit that
    /// comes is a keyframe, as soon as one can be made. `None` where there is no such rendition.
    pub fn subscribe(&self, rendition: U::Rendition, depth: Depth) -> Option<Subscriber<U>> {
        let track = self.tracks.iter().find(|track| track.rendition == rendition)?;
        Some(Subscriber::new(track.clone(), depth))
    }

    /// Whether somebody who takes part in a rendition gets something now. Where not, as where the whole picture is so small already that there is none that
    /// is smaller, who takes part waits until there is. Another rendition may be offered at any time, or not any more.
    pub fn offers(&self, rendition: U::Rendition) -> bool {
        let track = self.tracks.iter().find(|track| track.rendition == rendition);
        track.is_some_and(|track| track.state().is_offered)
    }

    /// What each track tells of itself, for as long as anybody holds it.
    pub fn figures(&self) -> impl Iterator<Item = (U::Rendition, Arc<Figures>)> {
        self.tracks
            .iter()
            .map(|track| (track.rendition, track.figures.clone()))
    }
}

impl<U: Unit> Clone for Broadcast<U> {
    fn clone(&self) -> Self {
        Self {
            tracks: self.tracks.clone(),
        }
    }
}

impl<U: Unit> fmt::Debug for Broadcast<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.renditions()).finish()
    }
}
