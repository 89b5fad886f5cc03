use serde_json::{Value, json};

use super::*;

const PAGE: ClientId = ClientId(1);
const OTHER: ClientId = ClientId(2);
const SOCKET: ClientId = ClientId(3);

fn gpio(text: &str) -> Gpio {
    toml::from_str(text).expect("valid")
}

const PARTS: &str = "
status = { pin = 1 }
tally = { pin = 2 }
privacy = { pin = 3 }
output = [
  { name = \"light\", pin = 4 },
  { name = \"horn\", pin = 5, kind = \"momentary\" },
  { name = \"heat\", pin = 6, safe = \"on\" },
]
input = [{ name = \"door\", pin = 7, debounce_ms = 20 }]
servo = [{ name = \"pan\", pin = 12, min = -50, max = 50, speed = 100 }]
";

struct Stage {
    room: Room,
    now: Instant,
}

impl Stage {
    fn new() -> Self {
        Self::with(PARTS, "socket = \"/run/x\"\ncamera = \"page\"")
    }

    fn with(parts: &str, control: &str) -> Self {
        let now = Instant::now();
        let control = toml::from_str(control).expect("valid");
        let mut stage = Self {
            room: Room::new("porch", &gpio(parts), &control, now),
            now,
        };
        stage.orders();
        stage.room.camera(7, Some(Vec::new()));
        stage.room.join(PAGE, "page", Origin::Page, Some(7), now);
        stage.room.join(OTHER, "other", Origin::Page, Some(7), now);
        stage.room.join(SOCKET, "robot", Origin::Socket, None, now);
        stage.orders();
        stage
    }

    /// So much later, with heartbeats of whom is named.
    fn wait(&mut self, ms: u64, alive: &[ClientId]) -> Vec<Order> {
        let end = self.now + Duration::from_millis(ms);
        let mut orders = Vec::new();
        while self.now < end {
            self.now = (self.now + Duration::from_millis(10)).min(end);
            for client in alive {
                self.room.hear(*client, "{\"type\":\"beat\"}", self.now);
            }
            self.room.tick(self.now);
            orders.extend(self.orders());
        }
        orders
    }

    fn orders(&mut self) -> Vec<Order> {
        std::iter::from_fn(|| self.room.next_order()).collect()
    }

    fn ask(&mut self, from: ClientId, request: Value) -> Vec<Order> {
        self.room.hear(from, &request.to_string(), self.now);
        self.orders()
    }

    /// What a client was told in answer to a request with an id.
    fn answer(&mut self, from: ClientId, mut request: Value) -> Value {
        request["id"] = json!("q");
        let orders = self.ask(from, request);
        let said = said_to(&orders, from);
        let is_answer = |said: &&Value| said["id"] == "q";
        said.iter()
            .find(is_answer)
            .unwrap_or_else(|| panic!("{orders:?}"))
            .clone()
    }
}

fn said_to(orders: &[Order], client: ClientId) -> Vec<Value> {
    let said = orders.iter().filter_map(|order| match order {
        Order::Say(to, text) if *to == client => Some(text),
        _ => None,
    });
    said.map(|text| serde_json::from_str(text).expect("JSON"))
        .collect()
}

/// What was switched, by name: `horn on`.
fn switched(orders: &[Order]) -> Vec<String> {
    let switched = orders.iter().filter_map(|order| match order {
        Order::Switch(part, on) => Some(format!("{part:?} {}", if *on { "on" } else { "off" })),
        _ => None,
    });
    switched.collect()
}

#[test]
fn at_the_start_everything_is_safe_and_servos_stand_at_their_centre() {
    let now = Instant::now();
    let mut room = Room::new("porch", &gpio(PARTS), &Control::default(), now);
    let orders: Vec<_> = std::iter::from_fn(|| room.next_order()).collect();
    assert_eq!(
        switched(&orders),
        [
            "Output(0) off",
            "Output(1) off",
            "Output(2) on",
            "Status on",
            "Tally off"
        ]
    );
    assert!(orders.contains(&Order::Turn(0, 0.0)), "{orders:?}");
    room.tick(now + REST_AFTER);
    let orders: Vec<_> = std::iter::from_fn(|| room.next_order()).collect();
    assert!(orders.contains(&Order::Rest(0)), "{orders:?}");
}

#[test]
fn who_comes_is_told_what_there_is_and_what_it_may() {
    let mut stage = Stage::with(PARTS, "camera = \"all\"\nservos = \"all\"");
    stage
        .room
        .join(ClientId(9), "script", Origin::Program, Some(7), stage.now);
    let orders = stage.orders();
    let said = said_to(&orders, ClientId(9));
    assert_eq!(said[0]["type"], "hello");
    assert_eq!(said[0]["version"], 1);
    assert_eq!(said[0]["may"], json!(["servos", "camera"]));
    assert_eq!(said[1]["type"], "state");
    assert_eq!(said[1]["outputs"], json!([]), "that is none of its business");
    assert_eq!(said[1]["servos"][0]["name"], "pan");
    assert_eq!(said[1]["privacy"], false);
}

#[test]
fn a_latching_output_stays_and_a_momentary_one_is_held() {
    let mut stage = Stage::new();
    let light = |on: bool| json!({"type": "set", "output": "light", "on": on});
    let horn = |on: bool| json!({"type": "set", "output": "horn", "on": on});
    assert_eq!(switched(&stage.ask(PAGE, light(true))), ["Output(0) on"]);
    assert!(
        switched(&stage.ask(PAGE, light(true))).is_empty(),
        "it is on already"
    );
    assert_eq!(switched(&stage.ask(PAGE, horn(true))), ["Output(1) on"]);
    let orders = stage.wait(2000, &[PAGE]);
    assert!(
        !switched(&orders).iter().any(|what| what.contains("Output")),
        "{orders:?}"
    );
    // Two hold it: it is on until the last one lets go.
    stage.ask(OTHER, horn(true));
    assert!(switched(&stage.ask(PAGE, horn(false))).is_empty());
    let orders = stage.ask(OTHER, horn(false));
    assert_eq!(switched(&orders), ["Output(1) off"]);
    let told = &said_to(&orders, PAGE)[0];
    assert_eq!(
        told,
        &json!({"type": "event", "what": "output", "name": "horn", "on": false})
    );
    stage.room.leave(PAGE, stage.now);
    assert!(
        switched(&stage.wait(2000, &[]))
            .iter()
            .all(|what| !what.contains("Output")),
        "the light stays"
    );
}

#[test]
fn what_is_held_is_let_go_500_ms_after_the_last_word() {
    let mut stage = Stage::new();
    stage.ask(PAGE, json!({"type": "set", "output": "horn", "on": true}));
    stage.ask(PAGE, json!({"type": "move", "servo": "pan", "velocity": 0.1}));
    stage.wait(300, &[PAGE]);
    assert!(
        stage
            .wait(490, &[])
            .iter()
            .all(|order| !matches!(order, Order::Switch(Part::Output(_), _)))
    );
    // Noise is no heartbeat, and others are none.
    stage.room.hear(PAGE, "{", stage.now);
    let orders = stage.wait(10, &[OTHER]);
    assert_eq!(
        switched(&orders)
            .iter()
            .filter(|what| *what == "Output(1) off")
            .count(),
        1,
        "{orders:?}"
    );
    let said = said_to(&orders, PAGE);
    assert!(said.iter().any(|said| said["code"] == "heartbeat"), "{said:?}");
    assert!(
        said.iter()
            .any(|said| said["what"] == "servo" && said["moving"] == false),
        "{said:?}"
    );
    let turns = stage.wait(100, &[]);
    assert!(
        !turns.iter().any(|order| matches!(order, Order::Turn(..))),
        "{turns:?}"
    );
}

#[test]
fn who_leaves_lets_go_of_everything_at_once() {
    let mut stage = Stage::new();
    stage.ask(PAGE, json!({"type": "set", "output": "horn", "on": true}));
    stage.ask(PAGE, json!({"type": "move", "servo": "pan", "to": 50}));
    stage.wait(100, &[PAGE]);
    stage.room.leave(PAGE, stage.now);
    let orders = stage.orders();
    assert_eq!(switched(&orders), ["Output(1) off"]);
    assert!(
        matches!(orders[1..], [.., Order::Say(..)]) && orders.contains(&Order::Turn(0, 10.0)),
        "{orders:?}"
    );
    assert!(
        !stage
            .wait(500, &[])
            .iter()
            .any(|order| matches!(order, Order::Turn(..)))
    );
}

#[test]
fn the_deadline_is_never_missed() {
    // Whoever sleeps until the deadline is not late for anything.
    let mut stage = Stage::new();
    stage.ask(PAGE, json!({"type": "set", "output": "horn", "on": true}));
    let start = stage.now;
    loop {
        stage.now = stage.room.deadline(stage.now).expect("something is held");
        stage.room.tick(stage.now);
        if switched(&stage.orders()).contains(&"Output(1) off".to_owned()) {
            break;
        }
        assert!(stage.now <= start + HEARTBEAT);
    }
    assert_eq!(stage.now, start + HEARTBEAT);
}

#[test]
fn a_servo_turns_within_its_limits_and_says_when_it_stands() {
    let mut stage = Stage::new();
    stage.ask(PAGE, json!({"type": "move", "servo": "pan", "to": 30}));
    let orders = stage.wait(1000, &[PAGE]);
    let turns: Vec<f64> = orders
        .iter()
        .filter_map(|order| match order {
            Order::Turn(0, degrees) => Some(*degrees),
            _ => None,
        })
        .collect();
    assert!(turns.is_sorted() && turns.len() >= 15, "{turns:?}");
    assert_eq!(turns.last(), Some(&30.0));
    let end = said_to(&orders, OTHER).pop().expect("an event");
    assert_eq!(
        end,
        json!({"type": "event", "what": "servo", "name": "pan", "position": 30.0, "moving": false})
    );
    stage.ask(PAGE, json!({"type": "move", "servo": "pan", "velocity": 1}));
    stage.wait(1000, &[PAGE]);
    assert_eq!(stage.room.servos().collect::<Vec<_>>(), [("pan", 50.0)]);
    assert!(stage.wait(2000, &[]).contains(&Order::Rest(0)));
}

#[test]
fn what_is_refused_has_no_effect_and_a_reason() {
    let focus = || CameraControl {
        name: "focus".to_owned(),
        min: 0,
        max: 250,
        step: 5,
        default: 0,
        value: Some(5),
        fault: None,
    };
    let automatic = CameraControl {
        name: "gain".to_owned(),
        fault: Some("the camera sets it by itself".to_owned()),
        ..focus()
    };
    let mut stage = Stage::with(
        PARTS,
        "outputs = \"nobody\"\ncamera = \"page\"\nsnapshot = \"nobody\"",
    );
    stage.room.camera(7, Some(vec![focus(), automatic]));
    stage
        .room
        .fault(Part::Servo(0), Some("pin 12 is taken".to_owned()));
    stage.orders();
    for (request, code, reason) in [
        (
            json!({"type": "set", "output": "light", "on": true}),
            "permission",
            "`outputs` in [control]",
        ),
        (json!({"type": "snapshot"}), "permission", "`snapshot`"),
        (
            json!({"type": "move", "servo": "tilt", "to": 1}),
            "unknown",
            "there is pan",
        ),
        (
            json!({"type": "move", "servo": "pan", "to": 1}),
            "fault",
            "pin 12 is taken",
        ),
        (
            json!({"type": "move", "servo": "pan", "velocity": 7}),
            "range",
            "-1 to 1",
        ),
        (
            json!({"type": "camera", "control": "focus", "value": 251}),
            "range",
            "0 to 250",
        ),
        (
            json!({"type": "camera", "control": "zoom", "value": 1}),
            "unknown",
            "it has focus",
        ),
        (
            json!({"type": "camera", "control": "gain", "value": 1}),
            "fault",
            "by itself",
        ),
        (
            json!({"type": "message", "text": "hello"}),
            "permission",
            "`messages`",
        ),
        (json!({"type": "fly"}), "malformed", "unknown variant"),
    ] {
        let mut with_id = request.clone();
        with_id["id"] = json!(7);
        let orders = stage.ask(PAGE, with_id);
        let [Order::Say(PAGE, text)] = orders.as_slice() else {
            panic!("{request} has an effect: {orders:?}");
        };
        let said: Value = serde_json::from_str(text).expect("JSON");
        assert_eq!(
            (&said["type"], &said["id"], &said["code"]),
            (&json!("error"), &json!(7), &json!(code)),
            "{said}"
        );
        assert!(said["reason"].as_str().expect("words").contains(reason), "{said}");
    }
    stage.room.fault(Part::Servo(0), None);
    let answer = stage.answer(PAGE, json!({"type": "move", "servo": "pan", "to": 51}));
    assert_eq!(answer["code"], "range");
    let orders = stage.ask(PAGE, json!({"type": "camera", "control": "focus", "value": 250}));
    assert_eq!(orders, [Order::Camera(7, "focus".to_owned(), 250)]);
    // The socket's file says who may, and nothing else.
    let orders = stage.ask(SOCKET, json!({"type": "set", "output": "light", "on": true}));
    assert_eq!(switched(&orders), ["Output(0) on"]);
}

#[test]
fn the_privacy_switch_works_at_the_first_touch_and_ends_when_it_rests() {
    let mut stage = Stage::new();
    let watched = Surroundings {
        mood: Mood::Live,
        watched: true,
    };
    stage.room.surround(watched, stage.now);
    assert!(switched(&stage.orders()).contains(&"Tally on".to_owned()));
    stage.room.look(Part::Privacy, true, stage.now);
    let orders = stage.orders();
    assert_eq!(orders[0], Order::Private(true));
    assert!(switched(&orders).contains(&"Tally off".to_owned()), "{orders:?}");
    assert_eq!(
        said_to(&orders, PAGE),
        [json!({"type": "event", "what": "privacy", "on": true})]
    );
    assert_eq!(stage.answer(PAGE, json!({"type": "snapshot"}))["code"], "privacy");
    stage.room.look(Part::Privacy, false, stage.now);
    assert!(stage.orders().is_empty(), "it bounces");
    let again = stage.room.look_again().expect("it is looked at again");
    stage.room.look(Part::Privacy, false, again);
    let orders = stage.orders();
    assert_eq!(orders[0], Order::Private(false));
    assert!(switched(&orders).contains(&"Tally on".to_owned()), "{orders:?}");
}

#[test]
fn a_privacy_button_toggles_and_its_choice_outlives_a_reload() {
    let parts = "privacy = { pin = 3, kind = \"button\" }";
    let mut stage = Stage::with(parts, "");
    let press = |stage: &mut Stage| {
        stage.room.look(Part::Privacy, true, stage.now);
        stage.now += Duration::from_millis(100);
        for ms in [0, 50] {
            stage
                .room
                .look(Part::Privacy, false, stage.now + Duration::from_millis(ms));
        }
        stage.now += Duration::from_secs(1);
        stage
            .orders()
            .into_iter()
            .find(|order| matches!(order, Order::Private(_)))
    };
    assert_eq!(press(&mut stage), Some(Order::Private(true)));
    stage
        .room
        .reconfigure("porch", &gpio(parts), &Control::default(), stage.now);
    assert!(stage.room.is_private());
    stage.orders();
    assert_eq!(press(&mut stage), Some(Order::Private(false)));
    assert_eq!(press(&mut stage), Some(Order::Private(true)));
    stage
        .room
        .reconfigure("porch", &gpio(""), &Control::default(), stage.now);
    assert!(
        stage.orders().contains(&Order::Private(false)),
        "nobody could end it any more"
    );
}

#[test]
fn the_tally_is_on_exactly_while_somebody_is_connected_and_nobody_can_switch_it() {
    let mut stage = Stage::new();
    let surround = |stage: &mut Stage, watched| {
        let mood = Mood::SignedIn;
        stage.room.surround(Surroundings { mood, watched }, stage.now);
        stage.orders();
        stage.room.tally()
    };
    assert_eq!(surround(&mut stage, false), Some(false));
    assert_eq!(surround(&mut stage, true), Some(true));
    for name in ["tally", "status"] {
        let answer = stage.answer(PAGE, json!({"type": "set", "output": name, "on": false}));
        assert_eq!(answer["code"], "unknown");
    }
    assert_eq!(stage.room.tally(), Some(true));
    assert_eq!(surround(&mut stage, false), Some(false));
}

#[test]
fn inputs_are_told_to_those_who_may_know() {
    let mut stage = Stage::with(PARTS, "");
    stage
        .room
        .join(ClientId(9), "script", Origin::Program, Some(7), stage.now);
    stage.orders();
    stage.room.look(Part::Input(0), true, stage.now);
    assert!(stage.orders().is_empty());
    stage
        .room
        .look(Part::Input(0), true, stage.now + Duration::from_millis(20));
    let orders = stage.orders();
    assert_eq!(
        said_to(&orders, PAGE),
        [json!({"type": "event", "what": "input", "name": "door", "on": true})]
    );
    assert!(said_to(&orders, ClientId(9)).is_empty());
}

#[test]
fn words_go_between_viewers_and_programs_and_not_among_viewers() {
    let mut stage = Stage::new();
    let orders = stage.ask(PAGE, json!({"type": "message", "text": "home"}));
    assert_eq!(
        orders,
        [Order::Say(
            SOCKET,
            json!({"type": "message", "from": "page", "client": 1, "text": "home"}).to_string()
        )]
        .map(|order| match order {
            Order::Say(to, text) => {
                let _: Value = serde_json::from_str(&text).expect("JSON");
                Order::Say(
                    to,
                    r#"{"type":"message","from":"page","client":1,"text":"home"}"#.to_owned(),
                )
            }
            other => other,
        })
    );
    let orders = stage.ask(SOCKET, json!({"type": "message", "text": "done"}));
    assert_eq!(orders.len(), 2, "both viewers: {orders:?}");
    let orders = stage.ask(SOCKET, json!({"type": "message", "text": "done", "to": 2}));
    assert_eq!(said_to(&orders, OTHER).len(), 1);
    assert_eq!(
        stage.answer(SOCKET, json!({"type": "message", "text": "x", "to": 77}))["code"],
        "nobody"
    );
    stage.room.leave(SOCKET, stage.now);
    assert_eq!(
        stage.answer(PAGE, json!({"type": "message", "text": "home"}))["code"],
        "nobody"
    );
}

#[test]
fn a_picture_is_asked_for_once_and_not_waited_for_without_end() {
    let mut stage = Stage::new();
    assert_eq!(
        stage.ask(PAGE, json!({"type": "snapshot", "id": 4})),
        [Order::Picture(PAGE, 7)]
    );
    assert_eq!(stage.answer(PAGE, json!({"type": "snapshot"}))["code"], "busy");
    let orders = stage.wait(6000, &[]);
    let late: Vec<_> = said_to(&orders, PAGE)
        .into_iter()
        .filter(|said| said["id"] == 4)
        .collect();
    assert_eq!(late.len(), 1, "{orders:?}");
    assert_eq!(late[0]["code"], "nopicture");
    assert_eq!(
        stage.ask(PAGE, json!({"type": "snapshot"})),
        [Order::Picture(PAGE, 7)],
        "it may ask again"
    );
    assert_eq!(stage.room.picture(PAGE), Some(None));
    stage.room.delivered(PAGE);
    assert_eq!(stage.room.picture(PAGE), None, "nobody waits for it");
}

#[test]
fn another_configuration_makes_everything_safe_and_is_told() {
    let mut stage = Stage::new();
    stage.ask(PAGE, json!({"type": "set", "output": "light", "on": true}));
    stage.ask(PAGE, json!({"type": "set", "output": "horn", "on": true}));
    let less = gpio("output = [{ name = \"light\", pin = 4 }]");
    let control = Control {
        outputs: crate::config::Allow::All,
        ..Control::default()
    };
    stage.room.reconfigure("cellar", &less, &control, stage.now);
    let orders = stage.orders();
    assert_eq!(switched(&orders), ["Output(0) off"]);
    let said = said_to(&orders, PAGE);
    assert_eq!(said[0]["name"], "cellar");
    assert_eq!(said[1]["outputs"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        stage.answer(PAGE, json!({"type": "set", "output": "horn", "on": true}))["code"],
        "unknown"
    );
}

/// Whether anything on a pin was touched, or privacy.
fn touches(order: &Order) -> bool {
    matches!(
        order,
        Order::Switch(..) | Order::Turn(..) | Order::Rest(_) | Order::Private(_)
    )
}

#[test]
fn where_the_pins_stay_another_configuration_changes_only_who_may_what() {
    let mut stage = Stage::new();
    stage.ask(PAGE, json!({"type": "set", "output": "light", "on": true}));
    stage.ask(PAGE, json!({"type": "set", "output": "horn", "on": true}));
    stage.ask(OTHER, json!({"type": "move", "servo": "pan", "to": 30}));
    stage.room.look(Part::Privacy, true, stage.now);
    stage.wait(1500, &[PAGE, OTHER]);
    let quiet = Control {
        events: crate::config::Allow::Nobody,
        ..Control::default()
    };
    stage.room.reconfigure("cellar", &gpio(PARTS), &quiet, stage.now);
    let orders = stage.orders();
    assert!(!orders.iter().any(touches), "{orders:?}");
    let said = said_to(&orders, PAGE);
    assert_eq!(
        (&said[0]["type"], &said[0]["name"]),
        (&json!("hello"), &json!("cellar"))
    );
    assert_eq!(said[0]["may"], json!(["outputs", "servos", "snapshot"]));
    assert_eq!(
        (&said[1]["privacy"], &said[1]["outputs"][0]["on"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(said[1]["servos"][0]["position"], 30.0);
    // Who may not any more lets go of it.
    let none = Control {
        outputs: crate::config::Allow::Nobody,
        ..quiet
    };
    stage.room.reconfigure("cellar", &gpio(PARTS), &none, stage.now);
    assert_eq!(
        switched(&stage.orders()),
        ["Output(1) off"],
        "and the light stays on"
    );
}

#[test]
fn other_pins_say_nothing_of_privacy_until_the_switch_does() {
    let moved = PARTS.replace("privacy = { pin = 3 }", "privacy = { pin = 13 }");
    let fewer = PARTS.replace("status = { pin = 1 }", "");
    for parts in [&moved, &fewer] {
        let mut stage = Stage::new();
        let watched = Surroundings {
            mood: Mood::Live,
            watched: true,
        };
        stage.room.surround(watched, stage.now);
        stage.ask(PAGE, json!({"type": "move", "servo": "pan", "to": 30}));
        stage.wait(1500, &[PAGE]);
        stage.room.look(Part::Privacy, true, stage.now);
        stage.orders();
        stage
            .room
            .reconfigure("porch", &gpio(parts), &Control::default(), stage.now);
        stage.room.look(Part::Privacy, true, stage.now);
        let orders = stage.orders();
        assert!(
            stage.room.is_private() && !orders.iter().any(|order| matches!(order, Order::Private(_))),
            "{orders:?}"
        );
        assert!(!switched(&orders).contains(&"Tally on".to_owned()), "{orders:?}");
        assert_eq!(said_to(&orders, PAGE)[1]["privacy"], true);
        let turns: Vec<_> = orders
            .iter()
            .filter(|order| matches!(order, Order::Turn(..)))
            .collect();
        assert_eq!(turns, [&Order::Turn(0, 30.0)], "it stays where it stands");
        // It was opened meanwhile, or the other pin's is open.
        stage.room.look(Part::Privacy, false, stage.now);
        assert!(stage.orders().is_empty(), "it may bounce");
        let again = stage.room.look_again().expect("it is looked at again");
        stage.room.look(Part::Privacy, false, again);
        assert_eq!(stage.orders()[0], Order::Private(false));
    }
}

#[test]
fn a_button_that_is_held_during_a_reload_does_not_toggle() {
    let button = "privacy = { pin = 3, kind = \"button\" }";
    let mut stage = Stage::with(button, "");
    stage.room.look(Part::Privacy, true, stage.now);
    assert_eq!(stage.orders()[0], Order::Private(true));
    let more = format!("{button}\ntally = {{ pin = 4 }}");
    stage
        .room
        .reconfigure("porch", &gpio(&more), &Control::default(), stage.now);
    stage.room.look(Part::Privacy, true, stage.now);
    assert!(stage.room.is_private());
}

#[test]
fn a_servo_whose_pin_was_taken_late_rests_after_it_has_turned() {
    let mut stage = Stage::new();
    stage.wait(5000, &[]);
    stage.room.restore(Part::Servo(0), stage.now);
    assert_eq!(stage.orders(), [Order::Turn(0, 0.0)]);
    let rest = |orders: &[Order]| orders.contains(&Order::Rest(0));
    assert!(!rest(&stage.wait(990, &[])) && rest(&stage.wait(20, &[])));
}

#[test]
fn nothing_that_a_client_sends_makes_the_room_grow_or_panic() {
    use rand::{Rng, SeedableRng, rngs::StdRng};
    let mut stage = Stage::new();
    let mut random = StdRng::seed_from_u64(7);
    let pieces = [
        "type", "set", "move", "beat", "output", "light", "horn", "servo", "pan", "velocity", "to", "on",
        "true", "1", "-1", "1e308", "null", "{", "}", "[", "]", ":", ",", "\"", "\\u0000", "id", "snapshot",
        "message", "text", "state",
    ];
    for _ in 0..20_000 {
        let text: String = (0..random.random_range(0..14))
            .map(|_| pieces[random.random_range(0..pieces.len())])
            .collect();
        stage.room.hear(PAGE, &text, stage.now);
        assert!(stage.orders().len() <= 4);
    }
    for velocity in [0.0, -0.0, 1.0, -1.0, 1e-300] {
        stage.ask(
            PAGE,
            json!({"type": "move", "servo": "pan", "velocity": velocity}),
        );
        stage.wait(50, &[PAGE]);
    }
    let (_, position) = stage.room.servos().next().expect("one");
    assert!((-50.0..=50.0).contains(&position));
}

#[test]
fn who_watches_a_camera_is_told_that_it_has_no_picture_and_others_are_not() {
    let mut stage = Stage::new();
    stage
        .room
        .join(ClientId(4), "garden", Origin::Page, Some(8), stage.now);
    stage.orders();
    let why = "it was unplugged";
    stage.room.picture_fault(7, Some(why.to_owned()));
    let orders = stage.orders();
    let told = json!({"type": "event", "what": "picture", "reason": why});
    for client in [PAGE, OTHER] {
        assert_eq!(said_to(&orders, client), std::slice::from_ref(&told));
    }
    assert!(said_to(&orders, ClientId(4)).is_empty() && said_to(&orders, SOCKET).is_empty());
    // Once per change, and who comes later or has missed it has it in the state.
    stage.room.picture_fault(7, Some(why.to_owned()));
    assert_eq!(stage.orders(), []);
    stage.room.tell_state(PAGE);
    assert_eq!(said_to(&stage.orders(), PAGE)[0]["picture_fault"], why);
    stage.room.tell_state(ClientId(4));
    assert_eq!(
        said_to(&stage.orders(), ClientId(4))[0].get("picture_fault"),
        None
    );
    stage.room.picture_fault(7, None);
    assert_eq!(said_to(&stage.orders(), PAGE)[0]["reason"], "");
    stage.room.tell_state(PAGE);
    assert_eq!(said_to(&stage.orders(), PAGE)[0].get("picture_fault"), None);
}

#[test]
fn everybody_is_told_that_the_loudspeaker_is_broken_also_after_a_reload() {
    let mut stage = Stage::new();
    stage.room.speaker_fault(Some("no such card".to_owned()));
    let orders = stage.orders();
    let told = json!({"type": "event", "what": "speaker", "reason": "no such card"});
    for client in [PAGE, OTHER, SOCKET] {
        assert_eq!(said_to(&orders, client), std::slice::from_ref(&told));
    }
    stage
        .room
        .reconfigure("porch", &Gpio::default(), &Control::default(), stage.now);
    let said = said_to(&stage.orders(), PAGE);
    assert_eq!(said.last().expect("a state")["speaker_fault"], "no such card");
    stage.room.speaker_fault(None);
    assert_eq!(said_to(&stage.orders(), PAGE)[0]["reason"], "");
}
