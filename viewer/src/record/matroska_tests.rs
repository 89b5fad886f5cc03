use std::io::Cursor;

use super::*;

const FORMAT: VideoFormat = VideoFormat {
    codec: Codec::Vp8,
    width: 640,
    height: 360,
    private: Vec::new(),
};

/// The elements that hold others.
const MASTERS: [u32; 11] = [
    element::EBML,
    element::SEGMENT,
    element::SEEK_HEAD,
    element::SEEK,
    element::INFO,
    element::TRACKS,
    element::TRACK_ENTRY,
    element::VIDEO,
    element::CLUSTER,
    element::CUES,
    element::CUE_POINT,
];

/// An element as a reader finds it: where it starts, its id, and its body if it holds no others.
#[derive(Debug, PartialEq)]
struct Found {
    at: usize,
    id: u32,
    body: Vec<u8>,
}

/// Reads a file to its end as the standard says, elements of unknown size included.
fn read(file: &[u8]) -> Vec<Found> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < file.len() {
        let id_length = file[at].leading_zeros() as usize + 1;
        let id = file[at..at + id_length]
            .iter()
            .fold(0, |id, &byte| (id << 8) | u32::from(byte));
        let size_at = at + id_length;
        let size_length = file[size_at].leading_zeros() as usize + 1;
        let size_bytes = &file[size_at..size_at + size_length];
        let size = size_bytes
            .iter()
            .fold(0u64, |size, &byte| (size << 8) | u64::from(byte));
        let size = size & !(1 << (7 * size_length));
        let body_at = size_at + size_length;
        let is_master = MASTERS.contains(&id) || id == element::CUE_TRACK_POSITIONS;
        let body = if is_master {
            Vec::new()
        } else {
            file[body_at..body_at + size as usize].to_vec()
        };
        at = if is_master {
            body_at
        } else {
            body_at + size as usize
        };
        found.push(Found {
            at: size_at - id_length,
            id,
            body,
        });
    }
    found
}

fn bodies(found: &[Found], id: u32) -> Vec<&[u8]> {
    found
        .iter()
        .filter(|element| element.id == id)
        .map(|element| &element.body[..])
        .collect()
}

fn integer(body: &[u8]) -> u64 {
    body.iter().fold(0, |value, &byte| (value << 8) | u64::from(byte))
}

fn writer() -> Writer<Cursor<Vec<u8>>> {
    Writer::new(Cursor::new(Vec::new()), Flavour::WebM, &FORMAT).expect("memory takes everything")
}

/// Frames 40 ms apart, the first and every tenth a keyframe, each one byte long.
fn write_frames(writer: &mut Writer<Cursor<Vec<u8>>>, count: u64) {
    for n in 0..count {
        writer
            .write(n * 40, n % 10 == 0, &[n as u8])
            .expect("memory takes everything");
    }
}

#[test]
fn a_finished_file_says_what_is_in_it_and_where() {
    let mut writer = writer();
    write_frames(&mut writer, 25);
    let (out, duration) = writer.finish().expect("memory takes everything");
    let (file, found) = (out.get_ref(), read(out.get_ref()));
    assert_eq!(duration, 1000);
    assert_eq!(bodies(&found, element::DOC_TYPE), [b"webm"]);
    assert_eq!(bodies(&found, element::CODEC_ID), [b"V_VP8"]);
    assert_eq!(bodies(&found, element::CODEC_PRIVATE).len(), 0);
    assert_eq!(integer(bodies(&found, element::PIXEL_WIDTH)[0]), 640);
    assert_eq!(bodies(&found, element::DURATION), [1000f64.to_be_bytes()]);

    let blocks = bodies(&found, element::SIMPLE_BLOCK);
    assert_eq!(blocks.len(), 25);
    assert_eq!(
        blocks[0],
        [0x81, 0, 0, 0x80, 0],
        "a keyframe at the start of its cluster"
    );
    assert_eq!(blocks[12], [0x81, 0, 80, 0, 12], "80 ms into the second cluster");

    let segment = found
        .iter()
        .find(|it| it.id == element::SEGMENT)
        .expect("a segment")
        .at
        + 12;
    let cluster_times: Vec<_> = bodies(&found, element::TIMESTAMP)
        .into_iter()
        .map(integer)
        .collect();
    assert_eq!(cluster_times, [0, 400, 800]);
    let cues: Vec<_> = bodies(&found, element::CUE_TIME)
        .into_iter()
        .map(integer)
        .collect();
    assert_eq!(cues, cluster_times);
    for position in bodies(&found, element::CUE_CLUSTER_POSITION) {
        assert_eq!(
            file[segment + integer(position) as usize..][..4],
            element::CLUSTER.to_be_bytes()
        );
    }
    let what = bodies(&found, element::SEEK_ID);
    let positions = bodies(&found, element::SEEK_POSITION);
    assert_eq!(what.len(), 3);
    for (id, position) in what.into_iter().zip(positions) {
        assert_eq!(&file[segment + integer(position) as usize..][..4], id);
    }
    assert_eq!(file[segment - 8..segment], size8((file.len() - segment) as u64));
}

#[test]
fn what_is_written_so_far_can_be_read_at_any_moment() {
    let mut writer = writer();
    for frames in [1, 15] {
        write_frames(&mut writer, frames);
        let found = read(writer.out.get_ref());
        assert!(bodies(&found, element::SIMPLE_BLOCK).len() >= frames as usize);
        assert_eq!(bodies(&found, element::DURATION).len(), 0, "not known yet");
    }
}

#[test]
fn a_long_time_without_keyframes_does_not_overflow_a_cluster() {
    let mut writer = writer();
    for n in 0..100 {
        writer
            .write(n * 1000, n == 0, &[0])
            .expect("memory takes everything");
    }
    let (out, _) = writer.finish().expect("memory takes everything");
    let found = read(out.get_ref());
    let mut cluster = 0;
    let mut times = Vec::new();
    for element in &found {
        match element.id {
            element::TIMESTAMP => cluster = integer(&element.body) as i64,
            element::SIMPLE_BLOCK => {
                times.push(cluster + i64::from(i16::from_be_bytes([element.body[1], element.body[2]])));
            }
            _ => {}
        }
    }
    assert_eq!(times, (0..100).map(|n| n * 1000).collect::<Vec<_>>());
    assert_eq!(
        bodies(&found, element::CUE_TIME).len(),
        1,
        "only keyframes are in the index"
    );
}
