//! Matroska (RFC 9559) with one video track, written so that it plays however it ends: every frame is in the
//! file as soon as it is written, in clusters whose size stays "unknown" until they are complete. A proper end
//! adds what seeking wants: sizes, the duration and an index.

use std::io::{self, Seek, SeekFrom, Write};

use super::{
    ebml::{UNKNOWN_SIZE, binary, float, id, master, size8, text, uint, uint8, void},
    format::VideoFormat,
};
use crate::receive::Codec;

/// Element ids (RFC 9559, section 5.1; RFC 8794, section 11.2).
mod element {
    pub const EBML: u32 = 0x1A45_DFA3;
    pub const EBML_VERSION: u32 = 0x4286;
    pub const EBML_READ_VERSION: u32 = 0x42F7;
    pub const EBML_MAX_ID_LENGTH: u32 = 0x42F2;
    pub const EBML_MAX_SIZE_LENGTH: u32 = 0x42F3;
    pub const DOC_TYPE: u32 = 0x4282;
    pub const DOC_TYPE_VERSION: u32 = 0x4287;
    pub const DOC_TYPE_READ_VERSION: u32 = 0x4285;
    pub const SEGMENT: u32 = 0x1853_8067;
    pub const SEEK_HEAD: u32 = 0x114D_9B74;
    pub const SEEK: u32 = 0x4DBB;
    pub const SEEK_ID: u32 = 0x53AB;
    pub const SEEK_POSITION: u32 = 0x53AC;
    pub const INFO: u32 = 0x1549_A966;
    pub const TIMESTAMP_SCALE: u32 = 0x2A_D7B1;
    pub const DURATION: u32 = 0x4489;
    pub const MUXING_APP: u32 = 0x4D80;
    pub const WRITING_APP: u32 = 0x5741;
    pub const TRACKS: u32 = 0x1654_AE6B;
    pub const TRACK_ENTRY: u32 = 0xAE;
    pub const TRACK_NUMBER: u32 = 0xD7;
    pub const TRACK_UID: u32 = 0x73C5;
    pub const TRACK_TYPE: u32 = 0x83;
    pub const FLAG_LACING: u32 = 0x9C;
    pub const LANGUAGE: u32 = 0x22_B59C;
    pub const CODEC_ID: u32 = 0x86;
    pub const CODEC_PRIVATE: u32 = 0x63A2;
    pub const VIDEO: u32 = 0xE0;
    pub const FLAG_INTERLACED: u32 = 0x9A;
    pub const PIXEL_WIDTH: u32 = 0xB0;
    pub const PIXEL_HEIGHT: u32 = 0xBA;
    pub const CLUSTER: u32 = 0x1F43_B675;
    pub const TIMESTAMP: u32 = 0xE7;
    pub const SIMPLE_BLOCK: u32 = 0xA3;
    pub const CUES: u32 = 0x1C53_BB6B;
    pub const CUE_POINT: u32 = 0xBB;
    pub const CUE_TIME: u32 = 0xB3;
    pub const CUE_TRACK_POSITIONS: u32 = 0xB7;
    pub const CUE_TRACK: u32 = 0xF7;
    pub const CUE_CLUSTER_POSITION: u32 = 0xF1;
}

/// The number of the video track; below 127, so that it takes one byte in a block.
const VIDEO_TRACK: u8 = 1;

/// A cluster ends at a keyframe, or after this many milliseconds: times in it are 16-bit offsets.
const LONGEST_CLUSTER_MS: u64 = 5000;

/// Room kept for the table of contents: three entries of 21 bytes and their head.
const CONTENTS_ROOM: usize = 96;

/// Bytes of a duration element, and of the filler in its place.
const DURATION_ROOM: usize = 11;

/// Which of the two related file types to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// Any codec.
    Matroska,
    /// The subset that browsers play; of our codecs VP8 only.
    WebM,
}

/// A file being written.
pub struct Writer<W: Write + Seek> {
    out: W,
    /// The end of the file.
    position: u64,
    /// Where the segment's body starts: the zero of all positions inside the file.
    segment: u64,
    /// Positions in the segment of what the table of contents names.
    info: u64,
    tracks: u64,
    /// Where the duration's filler starts, in the file.
    duration: u64,
    cluster: Option<Cluster>,
    /// Time of a keyframe, and where its cluster starts in the segment.
    cues: Vec<(u64, u64)>,
    last_ms: u64,
    frame_ms: u64,
}

struct Cluster {
    body: u64,
    time_ms: u64,
}

impl<W: Write + Seek> Writer<W> {
    /// Starts a file in `out`, which must be empty.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn new(out: W, flavour: Flavour, format: &VideoFormat) -> io::Result<Self> {
        let mut head = Vec::new();
        write_ebml_head(&mut head, flavour);
        id(&mut head, element::SEGMENT);
        head.extend_from_slice(&UNKNOWN_SIZE);
        let segment = head.len() as u64;
        void(&mut head, CONTENTS_ROOM);
        let info = head.len() as u64 - segment;
        master(&mut head, element::INFO, |info| {
            uint(info, element::TIMESTAMP_SCALE, 1_000_000);
            let program = concat!("pinhole-view ", env!("CARGO_PKG_VERSION"));
            text(info, element::MUXING_APP, program);
            text(info, element::WRITING_APP, program);
            void(info, DURATION_ROOM);
        });
        let duration = (head.len() - DURATION_ROOM) as u64;
        let tracks = head.len() as u64 - segment;
        write_tracks(&mut head, format);
        let (cluster, cues) = (None, Vec::new());
        let mut writer = Self {
            out,
            position: 0,
            segment,
            info,
            tracks,
            duration,
            cluster,
            cues,
            last_ms: 0,
            frame_ms: 0,
        };
        writer.append(&head)?;
        Ok(writer)
    }

    /// Appends a frame. Times must not go back; the first frame must be a keyframe.
    ///
    /// # Errors
    /// Those of the file.
    pub fn write(&mut self, time_ms: u64, is_keyframe: bool, sample: &[u8]) -> io::Result<()> {
        let full = |cluster: &Cluster| time_ms.saturating_sub(cluster.time_ms) > LONGEST_CLUSTER_MS;
        if is_keyframe || self.cluster.as_ref().is_none_or(full) {
            self.end_cluster()?;
            if is_keyframe {
                self.cues.push((time_ms, self.position - self.segment));
            }
            self.start_cluster(time_ms)?;
        }
        let cluster_ms = self.cluster.as_ref().map_or(time_ms, |cluster| cluster.time_ms);
        let offset = time_ms.saturating_sub(cluster_ms) as i16;
        // Track number, time in the cluster, flags: the top bit marks a keyframe (RFC 9559, section 10.2).
        let mut body = Vec::with_capacity(sample.len() + 4);
        body.push(0x80 | VIDEO_TRACK);
        body.extend_from_slice(&offset.to_be_bytes());
        body.push(if is_keyframe { 0x80 } else { 0 });
        body.extend_from_slice(sample);
        let mut block = Vec::with_capacity(body.len() + 8);
        binary(&mut block, element::SIMPLE_BLOCK, &body);
        self.append(&block)?;
        if time_ms > self.last_ms {
            self.frame_ms = time_ms - self.last_ms;
        }
        self.last_ms = time_ms;
        Ok(())
    }

    /// Completes the file, and tells its duration in milliseconds.
    ///
    /// # Errors
    /// Those of the file. It plays nevertheless, without seeking.
    pub fn finish(mut self) -> io::Result<(W, u64)> {
        self.end_cluster()?;
        // The last frame is shown about as long as the one before it.
        let duration_ms = self.last_ms + self.frame_ms;
        let cues_at = self.position - self.segment;
        let cues = self.index();
        self.append(&cues)?;
        let mut duration = Vec::new();
        float(&mut duration, element::DURATION, duration_ms as f64);
        self.overwrite(self.duration, &duration)?;
        let contents = self.table_of_contents(cues_at);
        self.overwrite(self.segment, &contents)?;
        self.overwrite(self.segment - 8, &size8(self.position - self.segment))?;
        self.out.flush()?;
        Ok((self.out, duration_ms))
    }

    fn index(&self) -> Vec<u8> {
        let mut index = Vec::new();
        master(&mut index, element::CUES, |cues| {
            for &(time, cluster) in &self.cues {
                master(cues, element::CUE_POINT, |point| {
                    uint(point, element::CUE_TIME, time);
                    master(point, element::CUE_TRACK_POSITIONS, |positions| {
                        uint(positions, element::CUE_TRACK, u64::from(VIDEO_TRACK));
                        uint(positions, element::CUE_CLUSTER_POSITION, cluster);
                    });
                });
            }
        });
        index
    }

    fn table_of_contents(&self, cues_at: u64) -> Vec<u8> {
        let mut contents = Vec::new();
        let entries = [
            (element::INFO, self.info),
            (element::TRACKS, self.tracks),
            (element::CUES, cues_at),
        ];
        master(&mut contents, element::SEEK_HEAD, |head| {
            for (what, position) in entries {
                master(head, element::SEEK, |seek| {
                    binary(seek, element::SEEK_ID, &what.to_be_bytes());
                    uint8(seek, element::SEEK_POSITION, position);
                });
            }
        });
        let rest = CONTENTS_ROOM - contents.len();
        void(&mut contents, rest);
        contents
    }

    fn start_cluster(&mut self, time_ms: u64) -> io::Result<()> {
        let mut head = Vec::new();
        id(&mut head, element::CLUSTER);
        head.extend_from_slice(&UNKNOWN_SIZE);
        let body = self.position + head.len() as u64;
        uint(&mut head, element::TIMESTAMP, time_ms);
        self.append(&head)?;
        self.cluster = Some(Cluster { body, time_ms });
        Ok(())
    }

    fn end_cluster(&mut self) -> io::Result<()> {
        let Some(cluster) = self.cluster.take() else {
            return Ok(());
        };
        self.overwrite(cluster.body - 8, &size8(self.position - cluster.body))
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.position += bytes.len() as u64;
        Ok(())
    }

    fn overwrite(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.out.seek(SeekFrom::Start(at))?;
        self.out.write_all(bytes)?;
        self.out.seek(SeekFrom::Start(self.position)).map(drop)
    }
}

fn write_ebml_head(out: &mut Vec<u8>, flavour: Flavour) {
    master(out, element::EBML, |head| {
        uint(head, element::EBML_VERSION, 1);
        uint(head, element::EBML_READ_VERSION, 1);
        uint(head, element::EBML_MAX_ID_LENGTH, 4);
        uint(head, element::EBML_MAX_SIZE_LENGTH, 8);
        let doc_type = match flavour {
            Flavour::Matroska => "matroska",
            Flavour::WebM => "webm",
        };
        text(head, element::DOC_TYPE, doc_type);
        uint(head, element::DOC_TYPE_VERSION, 4);
        // Version 2 brought the simple block.
        uint(head, element::DOC_TYPE_READ_VERSION, 2);
    });
}

fn write_tracks(out: &mut Vec<u8>, format: &VideoFormat) {
    master(out, element::TRACKS, |tracks| {
        master(tracks, element::TRACK_ENTRY, |entry| {
            uint(entry, element::TRACK_NUMBER, u64::from(VIDEO_TRACK));
            uint(entry, element::TRACK_UID, u64::from(VIDEO_TRACK));
            uint(entry, element::TRACK_TYPE, 1);
            uint(entry, element::FLAG_LACING, 0);
            text(entry, element::LANGUAGE, "und");
            let codec = match format.codec {
                Codec::H264 => "V_MPEG4/ISO/AVC",
                Codec::Vp8 => "V_VP8",
            };
            text(entry, element::CODEC_ID, codec);
            if !format.private.is_empty() {
                binary(entry, element::CODEC_PRIVATE, &format.private);
            }
            master(entry, element::VIDEO, |video| {
                // 2: progressive.
                uint(video, element::FLAG_INTERLACED, 2);
                uint(video, element::PIXEL_WIDTH, u64::from(format.width));
                uint(video, element::PIXEL_HEIGHT, u64::from(format.height));
            });
        });
    });
}

#[cfg(test)]
#[path = "matroska_tests.rs"]
mod tests;
