use std::{fs, path::Path, time::Duration};

use super::*;
use crate::{
    capture::OwnEncoding,
    media::{FrameRate, Timestamp},
};

/// What a test waits for at most for what should come at once.
const SOON: Duration = Duration::from_secs(20);

fn open(script: &str, pixel: PixelFormat) -> Box<dyn VideoSource> {
    let words = ["sh", "-c", script].map(str::to_owned).to_vec();
    Command::new(words, pixel, Colour::VIDEO)
        .open(&want())
        .expect("there is a shell")
}

fn want() -> Want {
    Want {
        size: "16x16".parse().unwrap(),
        rate: FrameRate::per_second(30),
        format: None,
        own_encoding: OwnEncoding::Preferred,
        encoder_formats: Vec::new(),
        controls: Controls::new(),
    }
}

/// The error that comes, after so many frames.
fn fault(source: &mut dyn VideoSource) -> (usize, String) {
    let mut frames = 0;
    for _ in 0..100_000 {
        match source.next(SOON) {
            Ok(Some(_)) => frames += 1,
            Ok(None) => {}
            Err(error) => return (frames, error.to_string()),
        }
    }
    panic!("no fault after {frames} frames");
}

#[test]
fn raw_frames_come_as_they_are_and_the_newest_wins() {
    // 16x16 in YU12 are 384 bytes.
    let mut source = open(
        "head -c 384 /dev/zero; head -c 384 /dev/zero | tr '\\0' a; exec sleep 60",
        PixelFormat::Yu12,
    );
    let mut last = (0, 0);
    while last.1 != b'a' {
        let frame = source.next(SOON).expect("it runs").expect("a frame");
        assert_eq!(frame.data, [frame.data[0]; 384]);
        // Two that come at the same moment are set apart.
        let latest = Timestamp::now().as_duration() + stream::BETWEEN_FRAMES;
        assert!(frame.captured_at.as_duration() <= latest);
        last = (frame.sequence, frame.data[0]);
    }
    assert_eq!(last, (2, b'a'), "both were counted");
    assert!(source.next(Duration::from_millis(1)).expect("it runs").is_none());
}

#[test]
fn a_frame_is_there_although_the_command_has_ended() {
    let mut source = open(
        "head -c 1000 /dev/zero; echo no more >&2; exit 3",
        PixelFormat::Yu12,
    );
    let (frames, error) = fault(source.as_mut());
    assert!((1..=2).contains(&frames), "{frames}");
    assert_eq!(
        error,
        "the command sh has ended (exit status: 3); it said last: no more"
    );
}

#[test]
fn what_is_open_here_is_not_open_there() {
    // As a library opens it that does not think of programs that we start: `dup` gives it such a descriptor.
    let file = fs::File::open("/dev/null").expect("it is always there");
    let careless = rustix::io::dup(&file).expect("there are descriptors left");
    let number = std::os::fd::AsRawFd::as_raw_fd(&careless);
    let script = format!("test -e /proc/self/fd/{number} && echo it is open >&2; exit 3");
    let (_, error) = fault(open(&script, PixelFormat::Yu12).as_mut());
    assert!(
        error.contains("exit status: 3") && !error.contains("it is open"),
        "{error}"
    );
}

#[test]
fn what_cannot_be_started_is_said_and_needs_a_person() {
    let open =
        |word: &str| Command::new(vec![word.to_owned()], PixelFormat::H264, Colour::VIDEO).open(&want());
    for word in ["no-such-program-of-any-name", "/dev/null", "/", ""] {
        let error = open(word).err().expect(word);
        assert!(matches!(error, CaptureError::CommandNotStarted { .. }), "{error}");
        assert!(!error.is_transient(), "{error}");
    }
}

#[test]
fn another_format_than_was_promised_is_found_out() {
    for (script, pixel) in [
        ("exec yes", PixelFormat::H264),
        ("exec yes", PixelFormat::Mjpeg),
        ("exec cat /dev/zero", PixelFormat::H264),
        (
            "printf '\\377\\330\\377\\332\\0\\2'; exec cat /dev/zero",
            PixelFormat::Mjpeg,
        ),
        (
            "printf '\\0\\0\\1\\145\\210'; exec cat /dev/zero",
            PixelFormat::H264,
        ),
    ] {
        let (frames, error) = fault(open(script, pixel).as_mut());
        assert_eq!(frames, 0, "{script}");
        assert!(error.contains("is its `format` another?"), "{error}");
    }
}

#[test]
fn a_flood_of_complaints_keeps_nobody_from_the_picture() {
    let flood = "yes 'the same again' >&2 & while head -c 384 /dev/zero; do sleep 0.01; done";
    let mut source = open(flood, PixelFormat::Yu12);
    for _ in 0..20 {
        assert!(source.next(SOON).expect("it runs").is_some());
    }
}

#[test]
fn patience_is_kept_whatever_the_command_does() {
    for script in [
        "exec sleep 60",
        "yes >&2 & exec sleep 60",
        "exec 2>&- ; exec sleep 60",
    ] {
        let mut source = open(script, PixelFormat::Mjpeg);
        assert!(
            source.next(Duration::from_millis(20)).expect("it runs").is_none(),
            "{script}"
        );
    }
}

#[test]
fn it_dies_with_all_that_it_has_started() {
    // It ignores what it can, and so does its child. Both tell who they are.
    let script =
        "trap '' TERM; sh -c 'trap \"\" TERM; while :; do sleep 1; done' & echo pids $$ $! >&2; wait";
    let words = ["sh", "-c", script].map(str::to_owned).to_vec();
    let mut child = Child::start(&words).expect("there is a shell");
    let mut said = String::new();
    while !said.ends_with('\n') {
        use std::io::Read;
        let mut bytes = [0; 100];
        match child.stderr.read(&mut bytes) {
            Ok(count) => said.push_str(std::str::from_utf8(&bytes[..count]).unwrap()),
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock),
        }
    }
    let pids: Vec<_> = said.split_whitespace().skip(1).map(str::to_owned).collect();
    assert_eq!(pids.len(), 2, "{said}");
    drop(child);
    for pid in pids {
        // It is killed, but the kernel may not have come to it yet; nor whoever adopts an orphan to burying it.
        let end = std::time::Instant::now() + SOON;
        loop {
            let status = fs::read_to_string(Path::new("/proc").join(&pid).join("stat")).unwrap_or_default();
            let rest = status.rsplit(')').next();
            let state = rest.and_then(|rest| rest.split_whitespace().next());
            if matches!(state, None | Some("Z" | "X")) {
                break;
            }
            assert!(std::time::Instant::now() < end, "{pid} is still there: {status}");
            std::thread::yield_now();
        }
    }
}

#[test]
fn arguments_are_the_controls_of_a_command() {
    let mut source = open("exec sleep 60", PixelFormat::H264);
    assert!(source.set_controls(&Controls::new()).is_ok());
    let error = source
        .set_controls(&Controls::from([("brightness".to_owned(), 1)]))
        .expect_err("refused");
    assert_eq!(
        error.to_string(),
        "the command sh has no control `brightness`; it has none, but arguments"
    );
}

#[test]
fn raw_pictures_have_the_colours_that_they_are_said_to_have() {
    for colour in [Colour::VIDEO, Colour::JPEG] {
        let words = ["sleep", "60"].map(str::to_owned).to_vec();
        let command = Command::new(words, PixelFormat::Yu12, colour);
        assert_eq!(
            command.open(&want()).expect("there is sleep").format().colour,
            colour
        );
    }
}
