use std::sync::Mutex;

use pinhole_service::watchdog::Watchdog;

use super::*;
use crate::{
    control::{Behind, Jpeg, Origin},
    media::Timestamp,
};

/// Has seen it all.
#[derive(Clone, Default)]
struct Ear(Arc<Mutex<Vec<String>>>);

/// So much is taken between two looks at it.
const ROOM: usize = 4;

impl Ear {
    fn heard(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().expect("no panic"))
    }
}

impl Outlet for Ear {
    fn say(&self, text: String) -> Result<(), Behind> {
        self.0.lock().expect("no panic").push(text);
        Ok(())
    }

    fn has_room(&self) -> bool {
        self.0.lock().expect("no panic").len() < ROOM
    }

    fn is_gone(&self) -> bool {
        false
    }
}

struct Blind;

impl Eyes for Blind {
    fn set_control(&self, _: CameraNumber, _: &str, _: i64) {}
    fn picture(&self, _: CameraNumber, _: ClientId) {}
}

const VIEWER: ClientId = ClientId(1);

/// A thread's work without the thread, and without pins: whoever tests says what becomes of contacts.
fn work(parts: &str) -> (Work, Ear) {
    let gpio: Gpio = toml::from_str(parts).expect("valid");
    let settings = Settings {
        name: "porch".to_owned(),
        gpio,
        control: config::Control::default(),
    };
    let handle = Handle::new(Arc::default());
    let now = Instant::now();
    let mut work = Work {
        account: Arc::default(),
        room: Room::new(&settings.name, &settings.gpio, &settings.control, now),
        board: Board::new(&Gpio::default(), handle.wake()),
        record: Record::of_service(),
        handle,
        settings,
        privacy: Privacy::default(),
        eyes: Box::new(Blind),
        pulse: Watchdog::default().pulse("a test", Duration::from_secs(1000)),
        outlets: BTreeMap::new(),
        behind: BTreeSet::new(),
        transfers: Transfers::default(),
        faults: BTreeMap::new(),
        changes: Quiet::new(20),
        switched: Quiet::new(20),
        retry_at: None,
    };
    let ear = Ear::default();
    work.room.camera(7, Some(Vec::new()));
    work.open(
        Mail::Join {
            client: VIEWER,
            name: "viewer".to_owned(),
            origin: Origin::Page,
            camera: Some(7),
            outlet: Box::new(ear.clone()),
        },
        now,
    );
    work.obey();
    ear.heard();
    (work, ear)
}

fn ask_for_a_picture(work: &mut Work) {
    let text = r#"{"type":"snapshot","id":"mine"}"#.to_owned();
    work.open(Mail::Hear { client: VIEWER, text }, Instant::now());
}

fn picture() -> Mail {
    let jpeg = Jpeg {
        data: vec![7; 200_000].into(),
        width: 640,
        height: 480,
        captured_at: Timestamp::now(),
    };
    Mail::Picture {
        client: VIEWER,
        picture: Ok(jpeg),
    }
}

#[test]
fn a_picture_on_its_way_ends_at_the_privacy_switch() {
    let (mut work, ear) = work("privacy = { pin = 3 }");
    ask_for_a_picture(&mut work);
    work.open(picture(), Instant::now());
    work.feed();
    let first = ear.heard();
    assert!(
        first.len() == ROOM && first[1].contains("\"part\""),
        "{}",
        first.len()
    );
    work.room.look(Part::Privacy, true, Instant::now());
    work.obey();
    assert!(work.privacy.is_on() && work.transfers.is_empty());
    work.feed();
    let after = ear.heard();
    assert!(!after.iter().any(|text| text.contains("\"part\"")), "{after:?}");
    let refused = |text: &&String| text.contains("\"privacy\"") && text.contains("\"id\":\"mine\"");
    assert_eq!(after.iter().filter(refused).count(), 1, "{after:?}");
}

#[test]
fn a_picture_that_is_made_at_the_privacy_switch_does_not_leave() {
    let (mut work, ear) = work("privacy = { pin = 3 }");
    ask_for_a_picture(&mut work);
    work.room.look(Part::Privacy, true, Instant::now());
    work.obey();
    work.open(picture(), Instant::now());
    work.feed();
    let said = ear.heard();
    let answers = said.iter().filter(|text| text.contains("mine"));
    assert_eq!(answers.count(), 1, "{said:?}");
    assert!(!said.iter().any(|text| text.contains("\"part\"")), "{said:?}");
}

#[test]
fn a_picture_of_before_the_privacy_switch_answers_no_request_of_after_it() {
    let (mut work, ear) = work("privacy = { pin = 3 }");
    ask_for_a_picture(&mut work);
    let late = picture();
    work.privacy.set(true);
    work.privacy.set(false);
    work.open(late, Instant::now());
    work.feed();
    let said = ear.heard();
    assert!(
        said.iter()
            .any(|text| text.contains("\"privacy\"") && text.contains("mine")),
        "{said:?}"
    );
    assert!(!said.iter().any(|text| text.contains("\"part\"")), "{said:?}");
    // It may ask again, and gets what was captured since.
    ask_for_a_picture(&mut work);
    work.open(picture(), Instant::now());
    work.feed();
    assert!(ear.heard().iter().any(|text| text.contains("\"part\"")));
}
