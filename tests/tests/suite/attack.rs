//! Who may reach the server or watch tries to end everybody's pictures, to lock others out, or to have the node send packets to
//! somebody else. Beside it is an honest viewer, which loses no more than a second, and a newcomer, which gets in meanwhile.
//!
//! What an attack does stands at the top of `tests/examples/attacker/main.rs`. In `quick` all of a kind come at the same time from one
//! attacker; in `soak` one after the other, and with their figures.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use pinhole_e2e::attacker::Attacker;
use pinhole_e2e::cgroup::Cgroup;
use pinhole_e2e::eventually::eventually;
use pinhole_e2e::log::loudly;
use pinhole_e2e::network::Network;
use pinhole_e2e::peers::Peer;
use pinhole_e2e::process::{Process, SOON};
use pinhole_e2e::programs::{PORT, server_address, server_url, start_node, start_server, start_server_in};
use pinhole_e2e::skip::{Need, skipped, skipped_because, this_test};
use pinhole_e2e::viewer::Viewer;
use pinhole_e2e::wire::Member;
use serde_json::{Value, json};

/// The viewer's intervals in a second.
const A_SECOND: usize = 4;
/// A viewer that can't be heard has lost its pictures and its place by then.
const PATIENCE_OF_A_SESSION: usize = 9 * A_SECOND;

/// How long a member of a test waits for an event before it asks anew.
const A_LOOK: Duration = Duration::from_secs(1);

/// Where the attackers are, and those that they name. Whoever else there is has the network's own address.
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(10, 77, 1, 66);

/// A network in which somebody is elsewhere.
fn network() -> Network {
    let network = Network::without_guest();
    network.add_address(ELSEWHERE);
    network
}

/// A node, and an honest viewer of it.
struct Scene<'network> {
    network: &'network Network,
    server: Process,
    node: Process,
    viewer: Viewer,
}

impl<'network> Scene<'network> {
    fn new(network: &'network Network, max_viewers: usize) -> Self {
        Self::at(network, start_server(network), max_viewers)
    }

    /// With a server that runs already.
    fn at(network: &'network Network, server: Process, max_viewers: usize) -> Self {
        let config = format!(
            "name = \"porch\"\n[signaling]\nserver = \"{}\"\n[[camera]]\ndevice = \"pattern\"\nsize = \"640x360\"\nfps = 30\n\
             [webrtc]\nmax_viewers = {max_viewers}\n",
            server_url()
        );
        let node = start_node(network, &config);
        let viewer = Viewer::watch(network, &server_url(), "porch", &[], SOON);
        Self {
            network,
            server,
            node,
            viewer,
        }
    }

    /// Goes through attacks, for so many of the viewer's intervals, and until a newcomer has joined.
    fn goes_through(&self, what: &str, attacks: &[&str], intervals: usize) -> Attacked {
        let (mark, start) = (self.node.mark(), Instant::now());
        let programs = [&self.node, &self.server];
        let before = programs.map(Process::cpu_ticks);
        let elsewhere = format!("from={ELSEWHERE}");
        let attacker = Attacker::start(self.network, &[&[elsewhere.as_str()], attacks].concat());
        let first = self.viewer.figures().len();
        let lasted = || self.viewer.figures().len() >= first + intervals;
        let has_lasted = eventually(SOON, || lasted().then_some(())).is_some();
        let came = Instant::now();
        let newcomer = Viewer::call(self.network, &server_url(), "porch", &[], SOON);
        let sees = || pictures(&newcomer).last().is_some_and(|pictures| *pictures >= 10);
        let is_in = eventually(SOON, || sees().then(|| came.elapsed()));
        let figures = attacker.stop();
        let [node, server] = [0, 1].map(|program| programs[program].cpu_ticks() - before[program]);
        let lines = self.node.log().since(mark).len();
        loudly(&format!(
            "{what}, {:.1} s: {node} ticks of the node, which said {lines} lines, {server} of the server, which had up to {} KiB; the \
             newcomer was in after {is_in:?}, and {}; the attacker: {figures}",
            start.elapsed().as_secs_f64(),
            self.server.most_memory(),
            told(&newcomer.stop()),
        ));
        Attacked {
            figures,
            has_lasted,
            has_newcomer: is_in.is_some(),
            lines,
        }
    }

    /// That the viewer had a picture all the time.
    fn ends_well(mut self, what: &str) {
        self.node.assert_running();
        self.server.assert_running();
        let pictures = pictures(&self.viewer);
        let without = longest_pause(&pictures);
        let summary = self.viewer.stop();
        loudly(&format!("{what}: the viewer {}", told(&summary)));
        assert_eq!(summary["ended"], "stopped", "{summary}");
        assert!(
            without <= A_SECOND,
            "no picture for longer than a second: {pictures:?}"
        );
    }
}

/// What came of an attack.
struct Attacked {
    /// What the attacker did.
    figures: Value,
    has_lasted: bool,
    has_newcomer: bool,
    lines: usize,
}

impl Attacked {
    /// That it kept nobody out, and filled no log; gives what the attacker did.
    fn in_vain(self) -> Value {
        assert!(self.has_lasted, "the viewer has ended");
        assert!(self.has_newcomer, "the newcomer didn't get in");
        assert!(self.lines < 500, "{} lines in the log", self.lines);
        self.figures
    }
}

/// A viewer's pictures so far, at each of its intervals.
fn pictures(viewer: &Viewer) -> Vec<u64> {
    let figures = viewer.figures();
    let pictures = figures
        .iter()
        .map(|figures| figures["frames"].as_u64().unwrap_or_default());
    pictures.collect()
}

/// The most intervals in a row without a picture, after the first one.
fn longest_pause(pictures: &[u64]) -> usize {
    let seen = pictures.chunk_by(|before, after| before == after);
    let pauses = seen.filter(|same| same[0] > 0).map(|same| same.len() - 1);
    pauses.max().unwrap_or_default()
}

/// What became of a watch.
fn told(summary: &Value) -> String {
    format!(
        "saw {} pictures, the longest gap was {} ms; it ended: {}",
        summary["frames"], summary["longest_gap_ms"], summary["ended"]
    )
}

/// Sockets that count what comes to them, on addresses that an offer can name.
struct Victims {
    sockets: Vec<(SocketAddr, UdpSocket)>,
}

impl Victims {
    /// Somebody's address, as often as `count` says; this machine's own; a port of a service; a group.
    fn new(network: &Network, count: usize) -> Self {
        let group = Ipv4Addr::new(239, 255, 77, 1);
        let bind = |address: SocketAddr| {
            let socket = network.inside(|| UdpSocket::bind(address).expect("a free port"));
            socket.set_nonblocking(true).expect("a socket can be told so");
            (socket.local_addr().expect("it has one"), socket)
        };
        let mut sockets: Vec<_> = (0..count).map(|_| bind((ELSEWHERE, 0).into())).collect();
        sockets.push(bind((Ipv4Addr::LOCALHOST, 0).into()));
        sockets.push(bind((ELSEWHERE, 53).into()));
        let (address, socket) = bind((group, 5000).into());
        network.inside(|| {
            socket
                .join_multicast_v4(&group, &ELSEWHERE)
                .expect("a group can be joined")
        });
        sockets.push((address, socket));
        Self { sockets }
    }

    fn words(&self) -> Vec<String> {
        let word = |(address, _): &(SocketAddr, _)| format!("victim={address}");
        self.sockets.iter().map(word).collect()
    }

    /// Packets and bytes that came to each since this was asked last.
    fn count(&self) -> Vec<(SocketAddr, usize, usize)> {
        let mut buffer = [0; 2048];
        let count = |(address, socket): &(SocketAddr, UdpSocket)| {
            let lengths: Vec<_> = std::iter::from_fn(|| socket.recv(&mut buffer).ok()).collect();
            (*address, lengths.len(), lengths.iter().sum())
        };
        self.sockets.iter().map(count).collect()
    }

    /// That few packets came to each, and none where no viewer can be, after an attack of less than a minute.
    fn were_spared(&self, what: &str) {
        let counts = self.count();
        let (all, bytes) = counts
            .iter()
            .fold((0, 0), |(all, bytes), count| (all + count.1, bytes + count.2));
        let most = counts.iter().map(|count| count.1).max().unwrap_or_default();
        loudly(&format!(
            "{what}: {all} packets, {bytes} bytes to those that were named, {most} packets to one of them"
        ));
        for (address, packets, _) in &counts {
            let is_nobodys =
                address.port() < 1024 || address.ip().is_multicast() || address.ip().is_loopback();
            assert!(*packets == 0 || !is_nobodys, "{packets} packets to {address}");
        }
        assert!(all > 0, "they are checked");
        // No address gets more than 16 in half a minute.
        assert!(most <= 32, "{most} packets to one address");
    }
}

/// That an attacker that watches got no more than the stream and half of it again, and what comes at once.
fn is_in_proportion(attack: &Value) {
    let number = |what: &str| attack[what].as_u64().unwrap_or_default();
    let (asked, got, stream) = (number("nacks"), number("nacked"), number("watched"));
    loudly(&format!(
        "{asked} bytes of requests, {got} bytes came of a stream of {stream}"
    ));
    assert!(asked > 20_000 && stream > 0, "{attack}");
    // Half of the stream is sent again, and 256 KiB at once; headers are not counted in the stream.
    assert!(got < 2 * stream + (300 << 10), "{attack}");
}

/// That it got no message of the node's.
fn stole_nothing(attack: &Value) {
    assert_eq!(attack["stolen"].as_u64().unwrap_or_default(), 0, "{attack}");
}

/// More addresses, of this machine, from which an attacker speaks.
fn more(count: usize) -> Vec<String> {
    (0..count)
        .map(|number| format!("from=127.0.6.{}", number + 1))
        .collect()
}

/// The same, and attacks.
fn words<'a>(words: &'a [String], attacks: &[&'a str]) -> Vec<&'a str> {
    words
        .iter()
        .map(String::as_str)
        .chain(attacks.iter().copied())
        .collect()
}

/// A server that has 64 MB.
fn start_small_server(network: &Network) -> (Process, Option<Cgroup>) {
    match Cgroup::of_memory(64 << 20) {
        Ok(group) => (start_server_in(network, &group), Some(group)),
        Err(error) => {
            skipped_because(&this_test(), &format!("the bound of memory: {error}"));
            (start_server(network), None)
        }
    }
}

/// Messages that go from one honest member to another meanwhile: how long each took. Ends with the first that takes longer than
/// `patience`.
fn latencies(network: &Network, count: usize, patience: Duration) -> Vec<Duration> {
    let (one, other) = (
        Member::sign_in(network, server_address(), "one"),
        Member::sign_in(network, server_address(), "other"),
    );
    let mut took: Vec<Duration> = Vec::new();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Who never waits is no member for long.
        scope.spawn(|| {
            while !is_over.load(Relaxed) {
                one.wait(A_LOOK);
            }
        });
        while took.len() < count && took.last().is_none_or(|last| *last < patience) {
            let text = format!("message {}", took.len());
            let start = Instant::now();
            let (other, expected) = (&other, text.clone());
            let hearing = scope.spawn(move || {
                let is_it = |event: Option<(u64, String)>| event.is_some_and(|(_, said)| said == expected);
                while !is_it(other.wait(A_LOOK)) && start.elapsed() < patience {}
                start.elapsed()
            });
            let status = one.send(other.id, text.as_bytes());
            let heard = hearing.join();
            if status != 200 {
                loudly(&format!("a message was refused: {status}"));
                break;
            }
            took.extend(heard);
            std::thread::sleep(Duration::from_millis(50));
        }
        is_over.store(true, Relaxed);
    });
    took
}

mod quick {
    use super::*;

    #[test]
    fn whatever_members_offer_costs_nobody_a_picture_and_no_stranger_many_packets() {
        if skipped(Need::Network) {
            return;
        }
        let network = network();
        let victims = Victims::new(&network, 24);
        let scene = Scene::new(&network, 3);
        let named = victims.words();
        let attacks = words(
            &named,
            &[
                "candidates=3",
                "shapes=1",
                "offers=200",
                "lodgers=20",
                "reflect=4",
            ],
        );
        let attacked = scene.goes_through("offers of every kind", &attacks, PATIENCE_OF_A_SESSION);
        victims.were_spared("offers of every kind");
        attacked.in_vain();
        scene.ends_well("offers of every kind");
    }

    #[test]
    fn whatever_viewers_send_costs_nobody_a_picture() {
        if skipped(Need::Network) {
            return;
        }
        let network = network();
        let scene = Scene::new(&network, 10);
        let attacks = [
            "nacks=100",
            "keyframes=1000",
            "rtcp=4000",
            "rtp=4000",
            "stun=4000",
            "dtls=4000",
        ];
        let attack = scene
            .goes_through("packets of every kind", &attacks, 4 * A_SECOND)
            .in_vain();
        is_in_proportion(&attack);
        scene.ends_well("packets of every kind");
    }

    #[test]
    fn one_address_locks_nobody_out_of_the_server() {
        if skipped(Need::Network) {
            return;
        }
        let network = network();
        let (server, group) = start_small_server(&network);
        let scene = Scene::at(&network, server, 3);
        let attacks = [
            "idle=300",
            "crowd=8",
            "mail=40",
            "bodies=100",
            "rosters=60",
            "thief=2",
        ];
        let attack = scene
            .goes_through("lock-outs of every kind", &attacks, 4 * A_SECOND)
            .in_vain();
        stole_nothing(&attack);
        scene.ends_well("lock-outs of every kind");
        drop(group);
    }

    /// What a stranger's page in the owner's browser can do to an open server.
    #[test]
    fn a_page_from_elsewhere_gets_nothing_from_an_open_server() {
        if skipped(Need::Network) {
            return;
        }
        let network = Network::without_guest();
        let _server = start_server(&network);
        let member = Member::sign_in(&network, server_address(), "porch");
        let mut page = Peer::chromium(&network);
        let mut ask = |what: &str, words: Value| page.ask(what, words);
        ask("open", json!({"url": server_url()}));
        let own = ask("fetch", json!({"url": format!("{}/sign_in?page", server_url())}));
        assert_eq!(own["status"], 200, "its own page may: {own}");

        ask("open", json!({"url": "http://elsewhere.example/"}));
        let (id, to) = (member.id, member.id);
        for (method, path) in [
            ("GET", "/sign_in?stranger".to_owned()),
            ("GET", format!("/wait?peer_id={id}")),
            ("POST", format!("/message?peer_id={id}&to={to}")),
            ("GET", format!("/sign_out?peer_id={id}")),
        ] {
            let url = format!("{}{path}", server_url());
            let answer = ask("fetch", json!({"url": url, "method": method}));
            assert!(answer["failed"].is_string(), "{method} {path}: {answer}");
        }
        let framed = ask("frame", json!({"url": server_url()}));
        assert_eq!(framed["shown"], false, "{framed}");
        // A name of a stranger's that leads to our address.
        let rebound = ask("open", json!({"url": format!("http://rebound.example:{PORT}")}));
        assert_eq!(rebound["status"], 421, "{rebound}");

        let roster = Member::sign_in(&network, server_address(), "last").others;
        let names: Vec<_> = roster.iter().map(|(name, _)| name.as_str()).collect();
        assert!(
            names.contains(&"porch") && !names.contains(&"stranger"),
            "{names:?}"
        );
    }
}

/// Each by itself, with its figures.
mod soak {
    use super::*;

    /// One kind of attack on a node.
    fn alone(what: &str, max_viewers: usize, attack: &str) -> Option<Value> {
        if skipped(Need::Network) {
            return None;
        }
        let network = network();
        let scene = Scene::new(&network, max_viewers);
        let attack = scene
            .goes_through(what, &[attack], PATIENCE_OF_A_SESSION)
            .in_vain();
        scene.ends_well(what);
        Some(attack)
    }

    #[test]
    fn offers_with_thousands_of_candidates() {
        alone("candidates", 3, "candidates=5");
    }

    #[test]
    fn offers_of_many_sections_and_types() {
        alone("shapes", 3, "shapes=2");
    }

    #[test]
    fn a_thousand_offers_a_second_of_one_member() {
        alone("offers", 3, "offers=1000");
    }

    #[test]
    fn twenty_offers_every_four_seconds_that_nobody_stands_behind() {
        alone("lodgers", 8, "lodgers=20");
    }

    #[test]
    fn twenty_members_that_name_strangers() {
        if skipped(Need::Network) {
            return;
        }
        let network = network();
        let victims = Victims::new(&network, 24);
        let scene = Scene::new(&network, 8);
        let named = victims.words();
        let attacked = scene.goes_through("reflect", &words(&named, &["reflect=20"]), PATIENCE_OF_A_SESSION);
        victims.were_spared("reflect");
        attacked.in_vain();
        scene.ends_well("reflect");
    }

    #[test]
    fn the_same_packets_asked_for_again_and_again() {
        if let Some(attack) = alone("nacks", 3, "nacks=100") {
            is_in_proportion(&attack);
        }
    }

    #[test]
    fn a_flood_of_wishes_for_keyframes() {
        alone("keyframes", 3, "keyframes=100000");
    }

    #[test]
    fn a_flood_of_rtcp() {
        alone("rtcp", 3, "rtcp=100000");
    }

    #[test]
    fn a_flood_of_rtp() {
        alone("rtp", 3, "rtp=100000");
    }

    #[test]
    fn a_flood_of_stun() {
        alone("stun", 3, "stun=100000");
    }

    #[test]
    fn a_flood_of_dtls() {
        alone("dtls", 3, "dtls=100000");
    }

    /// One kind of attack on the server, from one address.
    fn from_one_address(what: &str, attack: &str) {
        if skipped(Need::Network) {
            return;
        }
        let network = network();
        let scene = Scene::new(&network, 3);
        let attack = scene
            .goes_through(what, &[attack], PATIENCE_OF_A_SESSION)
            .in_vain();
        stole_nothing(&attack);
        scene.ends_well(what);
    }

    #[test]
    fn four_thousand_idle_connections() {
        from_one_address("idle", "idle=4096");
    }

    #[test]
    fn sign_ins_without_a_wait() {
        from_one_address("crowd", "crowd=8");
    }

    #[test]
    fn messages_that_nobody_fetches() {
        from_one_address("mail", "mail=40");
    }

    #[test]
    fn somebody_who_fetches_a_cameras_messages() {
        from_one_address("thief", "thief=2");
    }

    /// One after the other, and from as many addresses as it takes to have the whole.
    #[test]
    fn whatever_the_server_has_to_hold_fits_into_64_megabytes() {
        if skipped(Need::Network) {
            return;
        }
        let network = network();
        let (server, group) = start_small_server(&network);
        let mut scene = Scene::at(&network, server, 3);
        for addresses in [1, 8] {
            let from = more(addresses - 1);
            for attack in ["mail=400", "bodies=4000", "rosters=1000", "idle=4096"] {
                let what = format!("{attack} from {addresses}");
                let attack = words(&from, &[attack]);
                if addresses == 1 {
                    scene.goes_through(&what, &attack, 4 * A_SECOND).in_vain();
                } else {
                    // Who has all addresses has all places: the server lives, and who is there goes on.
                    let elsewhere = format!("from={ELSEWHERE}");
                    let attacker = Attacker::start(&network, &[&[elsewhere.as_str()], &attack[..]].concat());
                    scene.viewer.brings(150);
                    loudly(&format!("{what}: {}", attacker.stop()));
                    scene.server.assert_running();
                }
                let most = group.as_ref().and_then(Cgroup::most_memory);
                loudly(&format!(
                    "{what}: the server had up to {} KiB of memory, {most:?} bytes with the kernel's",
                    scene.server.most_memory()
                ));
            }
        }
        let newcomer = Viewer::watch(&network, &server_url(), "porch", &[], SOON);
        newcomer.stop();
        scene.ends_well("64 MB");
    }

    #[test]
    fn messages_arrive_while_a_thousand_members_come() {
        if skipped(Need::Network) {
            return;
        }
        // For longer than the attackers wait, who then come anew.
        const MESSAGES: usize = 600;
        let network = network();
        let server = start_server(&network);
        let before = server.cpu_ticks();
        let from = more(5);
        let attacker = Attacker::start(&network, &words(&from, &["storm=990"]));
        let mut took = latencies(&network, MESSAGES, Duration::from_secs(5));
        let attack = attacker.stop();
        let sent = took.len();
        took.sort();
        let (middle, slowest) = (took.get(sent / 2), took.last());
        loudly(&format!(
            "storm: of {sent} messages the middle one took {middle:?}, the slowest {slowest:?}; {} ticks of the server, which had up to \
             {} KiB; the attacker: {attack}",
            server.cpu_ticks() - before,
            server.most_memory(),
        ));
        assert!(attack["members"].as_u64() > Some(900), "{attack}");
        assert_eq!(sent, MESSAGES, "{slowest:?}");
        assert!(slowest < Some(&Duration::from_secs(2)), "{slowest:?}");
    }
}
