//! Reads a remote track to its end: the only place where RTP meets the network and the threads.

use std::{io, sync::Arc, time::Instant};

use pinhole_service::quiet::Quiet;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};

use super::{
    decode::{Decoded, Picture, Worker},
    intake::{Intake, Packet, PayloadTypes, VideoTotals},
    reception::{Reception, Totals},
};
use crate::record::Recorder;

/// The ticks of a second in Opus' RTP timestamps (RFC 7587, section 4.1).
const AUDIO_CLOCK: u32 = 48_000;

/// What a decoder's thread may have to say before anyone listens.
const NEWS: usize = 64;

/// Where a video stream leads to.
pub struct Outlets {
    /// Every decoded picture.
    pub pictures: mpsc::Sender<Picture>,
    /// The counters, whenever they change.
    pub totals: watch::Sender<VideoTotals>,
    /// The file, if one is written.
    pub recorder: Option<Recorder>,
}

/// Receives a video track until it ends or `stop`.
///
/// # Errors
/// Where the decoder's thread can't be started.
pub async fn video(
    track: Arc<dyn TrackRemote>,
    codecs: PayloadTypes,
    mut outlets: Outlets,
    stop: CancellationToken,
) -> io::Result<()> {
    let (news, mut decoded) = mpsc::channel(NEWS);
    let decoder = Worker::start(news)?;
    let mut intake = Intake::new(codecs);
    let mut ssrc = None;
    loop {
        let deadline = intake.deadline();
        let overdue = async {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            event = track.poll() => match event {
                None | Some(TrackRemoteEvent::OnEnded) => break,
                Some(TrackRemoteEvent::OnRtpPacket(packet)) => {
                    ssrc = Some(packet.header.ssrc);
                    intake.insert(to_packet(packet), Instant::now());
                }
                Some(_) => {}
            },
            news = decoded.recv() => match news {
                None => break,
                Some(Decoded::Picture(picture)) => {
                    // A reader that is gone has stopped this task too, or is about to.
                    let _ = outlets.pictures.try_send(picture);
                }
                Some(Decoded::Failed(error)) => {
                    static FAILED: Quiet = Quiet::new(5);
                    if let Some(others) = FAILED.may_say() {
                        tracing::warn!(%error, others, "going on at the next keyframe");
                    }
                    intake.close();
                }
            },
            () = overdue => {}
        }
        let now = Instant::now();
        while let Some(unit) = intake.next(now) {
            if let Some(recorder) = &mut outlets.recorder {
                recorder.offer(&unit);
            }
            if !decoder.offer(unit) {
                static SLOW: Quiet = Quiet::new(5);
                if let Some(others) = SLOW.may_say() {
                    tracing::warn!(others, "decoding is too slow; going on at the next keyframe");
                }
                intake.close();
            }
        }
        if let Some(media_ssrc) = ssrc
            && intake.take_keyframe_request(now)
        {
            let request = PictureLossIndication {
                sender_ssrc: 0,
                media_ssrc,
            };
            if let Err(error) = track.write_rtcp(vec![Box::new(request)]).await {
                tracing::debug!(%error, "could not ask for a keyframe");
            }
        }
        outlets.totals.send_replace(intake.totals());
    }
    drop(decoded);
    decoder.stop();
    Ok(())
}

/// Counts an audio track until it ends or `stop`.
pub async fn audio(
    track: Arc<dyn TrackRemote>,
    totals: watch::Sender<Option<Totals>>,
    stop: CancellationToken,
) {
    let mut reception = Reception::new(AUDIO_CLOCK);
    loop {
        let event = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            event = track.poll() => event,
        };
        match event {
            None | Some(TrackRemoteEvent::OnEnded) => return,
            Some(TrackRemoteEvent::OnRtpPacket(packet)) => {
                let header = &packet.header;
                let size = packet.payload.len();
                reception.observe(header.sequence_number, header.timestamp, size, Instant::now());
                totals.send_replace(Some(reception.totals()));
            }
            Some(_) => {}
        }
    }
}

fn to_packet(packet: rtc::rtp::Packet) -> Packet {
    Packet {
        payload_type: packet.header.payload_type,
        sequence: packet.header.sequence_number,
        timestamp: packet.header.timestamp,
        marker: packet.header.marker,
        payload: packet.payload,
    }
}
