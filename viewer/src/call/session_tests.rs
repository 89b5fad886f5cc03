use pinhole_signaling::{Description, Name, Refusal};

use super::*;

const PATIENCE: Duration = Duration::from_secs(5);

fn id(number: u64) -> PeerId {
    PeerId::new(number).expect("not zero")
}

fn member(name: &str, number: u64) -> Member {
    Member {
        name: Name::from(name),
        id: id(number),
        connected: true,
    }
}

fn gone(name: &str, number: u64) -> Input {
    Input::Presence(Member {
        connected: false,
        ..member(name, number)
    })
}

fn from(number: u64, message: Message) -> Input {
    Input::Message {
        from: id(number),
        message,
    }
}

fn description(kind: DescriptionKind) -> Description {
    Description {
        kind,
        sdp: "v=0".to_owned(),
    }
}

fn answer() -> Message {
    Message::Description(description(DescriptionKind::Answer))
}

fn offer() -> Message {
    Message::Description(description(DescriptionKind::Offer))
}

fn candidate(line: &str) -> Candidate {
    Candidate {
        sdp_mid: "0".to_owned(),
        sdp_mline_index: 0,
        candidate: line.to_owned(),
    }
}

/// A session and its imagined time.
struct Play {
    session: Session,
    now: Instant,
}

impl Play {
    fn new(watch_for: Option<Duration>) -> Self {
        let now = Instant::now();
        Self {
            session: Session::new("porch".to_owned(), PATIENCE, watch_for, now),
            now,
        }
    }

    /// One whose node, number 7, has been offered a call.
    fn calling() -> Self {
        let mut play = Self::new(None);
        let commands = play.on(Input::SignedIn(vec![member("desk", 3), member("porch", 7)]));
        assert_eq!(commands, [Command::Offer(id(7))]);
        play
    }

    /// One whose pictures come.
    fn watching() -> Self {
        let mut play = Self::calling();
        play.on(from(7, answer()));
        play.on(Input::Path(Path::Up));
        play.on(Input::Picture);
        play
    }

    fn on(&mut self, input: Input) -> Vec<Command> {
        self.session.handle(input, self.now)
    }

    fn after(&mut self, time: Duration) -> Vec<Command> {
        self.now += time;
        self.on(Input::Tick)
    }

    /// What the next deadline brings.
    fn at_deadline(&mut self) -> Vec<Command> {
        self.now = self.session.deadline().expect("a deadline");
        self.on(Input::Tick)
    }
}

fn told(commands: &[Command]) -> &str {
    match commands {
        [Command::Tell(text)] => text,
        other => panic!("not a single word to the person: {other:?}"),
    }
}

#[test]
fn a_node_that_comes_later_is_called_when_it_comes() {
    let mut play = Play::new(None);
    let commands = play.on(Input::SignedIn(vec![member("desk", 3)]));
    assert_eq!(
        told(&commands),
        "no camera called \"porch\" is on the server; there is: \"desk\". Waiting 5 s for it (--wait)"
    );
    assert_eq!(play.on(Input::Presence(member("hall", 4))), [], "it is said once");
    assert_eq!(
        play.on(Input::Presence(member("porch", 8))),
        [Command::Offer(id(8))]
    );
}

#[test]
fn a_node_that_does_not_come_is_an_error_that_lists_who_is_there() {
    let mut play = Play::new(None);
    play.on(Input::SignedIn(vec![member("desk", 3), member("pond", 4)]));
    play.on(gone("pond", 4));
    let ending = play.at_deadline();
    let there = "\"desk\"".to_owned();
    assert_eq!(
        ending,
        [Command::End(Ending::NotThere {
            wanted: "porch".to_owned(),
            there
        })]
    );
}

#[test]
fn every_wait_has_its_own_end() {
    let mut play = Play::calling();
    assert_eq!(
        play.at_deadline()[1..],
        [Command::RenewWait, Command::HangUp(id(7)), Command::Offer(id(7))],
        "its answer may have gone to a dead connection"
    );
    assert_eq!(play.at_deadline(), [Command::End(Ending::NoAnswer)]);

    let mut play = Play::calling();
    for _ in 1..PATH_TRIES {
        play.on(from(7, answer()));
        assert_eq!(
            play.at_deadline()[1..],
            [Command::HangUp(id(7)), Command::Offer(id(7))]
        );
    }
    play.on(from(7, answer()));
    assert_eq!(play.at_deadline(), [Command::End(Ending::NoPath)]);

    let mut play = Play::calling();
    play.on(from(7, answer()));
    play.on(Input::Path(Path::Up));
    assert_eq!(play.at_deadline(), [Command::End(Ending::NoPicture)]);

    let mut play = Play::watching();
    assert_eq!(play.session.deadline(), None, "watched for ever");
    assert_eq!(play.on(Input::Path(Path::Failed)), [Command::End(Ending::Lost)]);
    assert_eq!(play.on(Input::Picture), [], "nothing comes after the end");
}

#[test]
fn the_time_to_watch_counts_from_the_first_picture() {
    let mut play = Play::new(Some(Duration::from_secs(3)));
    play.on(Input::SignedIn(vec![member("porch", 7)]));
    play.on(from(7, answer()));
    play.on(Input::Path(Path::Up));
    play.after(Duration::from_secs(2));
    play.on(Input::Picture);
    assert_eq!(play.after(Duration::from_millis(2900)), []);
    assert_eq!(
        play.after(Duration::from_millis(100)),
        [Command::End(Ending::TimeUp)]
    );
}

#[test]
fn candidates_before_the_answer_wait_for_it() {
    let mut play = Play::calling();
    assert_eq!(play.on(from(7, Message::Candidate(candidate("a")))), []);
    let accept = Command::Accept(description(DescriptionKind::Answer));
    assert_eq!(play.on(from(7, answer())), [accept, Command::Add(candidate("a"))]);
    assert_eq!(
        play.on(from(7, Message::Candidate(candidate("b")))),
        [Command::Add(candidate("b"))]
    );
}

#[test]
fn a_refusal_is_told_in_the_nodes_words() {
    let refusal = Message::Refusal(Refusal {
        code: "busy".to_owned(),
        reason: "20 viewers".to_owned(),
    });
    let mut play = Play::calling();
    let ending = Ending::Refused(Some("20 viewers".to_owned()));
    assert_eq!(play.on(from(7, refusal.clone())), [Command::End(ending)]);

    let mut play = Play::calling();
    assert_eq!(
        play.on(from(7, Message::Bye)),
        [Command::End(Ending::Refused(None))]
    );

    let mut play = Play::watching();
    assert_eq!(play.on(from(7, refusal)), []);
    let ending = Ending::HungUp(Some("20 viewers".to_owned()));
    assert_eq!(play.on(from(7, Message::Bye)), [Command::End(ending)]);
}

#[test]
fn a_node_that_found_no_path_says_so_and_is_called_anew_as_often_as_we_find_none() {
    let refusal = |code: &str| {
        Message::Refusal(Refusal {
            code: code.to_owned(),
            reason: "no network path was found".to_owned(),
        })
    };
    let mut play = Play::calling();
    for _ in 1..PATH_TRIES {
        play.on(from(7, answer()));
        play.on(from(7, refusal("no_path")));
        let commands = play.on(from(7, Message::Bye));
        assert_eq!(commands[1..], [Command::HangUp(id(7)), Command::Offer(id(7))]);
    }
    play.on(from(7, answer()));
    play.on(from(7, refusal("unfinished")));
    assert_eq!(play.on(from(7, Message::Bye)), [Command::End(Ending::NoPath)]);

    let mut play = Play::watching();
    play.on(from(7, refusal("no_path")));
    let ending = Ending::HungUp(Some("no network path was found".to_owned()));
    assert_eq!(play.on(from(7, Message::Bye)), [Command::End(ending)]);
}

#[test]
fn an_offer_of_the_node_is_answered_on_a_new_connection_before_ours_and_on_the_old_one_after() {
    let mut play = Play::calling();
    assert_eq!(
        play.on(from(7, offer())),
        [Command::AnswerAnew(id(7), "v=0".to_owned())]
    );
    assert_eq!(play.on(from(7, answer())), [], "our own offer is withdrawn");

    let mut play = Play::watching();
    assert_eq!(
        play.on(from(7, offer())),
        [Command::Answer(id(7), "v=0".to_owned())]
    );
}

#[test]
fn others_can_not_meddle() {
    let mut play = Play::watching();
    for message in [
        Message::Bye,
        offer(),
        answer(),
        Message::Candidate(candidate("x")),
    ] {
        assert_eq!(play.on(from(3, message)), []);
    }
    assert_eq!(play.on(gone("desk", 3)), []);
}

#[test]
fn a_node_that_leaves_ends_the_call_once_its_pictures_stop() {
    let mut play = Play::watching();
    assert_eq!(play.on(gone("porch", 7)), []);
    assert_eq!(play.at_deadline(), [Command::End(Ending::Left)]);

    let mut play = Play::watching();
    play.on(gone("porch", 7));
    play.now += Duration::from_secs(1);
    play.on(Input::Picture);
    let commands = play.at_deadline();
    assert!(told(&commands).contains("goes on"), "{commands:?}");
    assert_eq!(play.session.deadline(), None);

    let mut play = Play::calling();
    assert_eq!(play.on(gone("porch", 7)), [Command::End(Ending::Left)]);
}

#[test]
fn a_server_restart_is_told_once_and_the_node_found_by_its_name() {
    let mut play = Play::watching();
    assert!(told(&play.on(Input::ServerGone("no connection".to_owned()))).contains("goes on"));
    assert_eq!(play.on(Input::ServerGone("no connection".to_owned())), []);
    assert!(told(&play.on(Input::SignedIn(Vec::new()))).contains("back"));
    assert_eq!(play.on(Input::Presence(member("porch", 2))), []);
    assert_eq!(play.session.node().map(|node| node.id), Some(id(2)));
    assert_eq!(
        play.on(from(2, Message::Bye)),
        [Command::End(Ending::HungUp(None))]
    );
}

#[test]
fn an_offer_that_went_down_with_the_server_is_made_again() {
    let mut play = Play::calling();
    play.on(Input::ServerGone("no connection".to_owned()));
    let commands = play.on(Input::SignedIn(vec![member("porch", 1)]));
    assert_eq!(commands.last(), Some(&Command::Offer(id(1))));
}

#[test]
fn an_interruption_is_told_once_and_its_end_too() {
    let mut play = Play::watching();
    told(&play.on(Input::Path(Path::Interrupted)));
    assert_eq!(play.on(Input::Path(Path::Interrupted)), []);
    told(&play.on(Input::Path(Path::Up)));
    assert_eq!(play.on(Input::Path(Path::Up)), []);
}
