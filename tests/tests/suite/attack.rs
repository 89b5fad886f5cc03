//! Who may sign in tries to end everybody's pictures, or to have the node send packets to somebody else. Beside it is an honest
//! viewer, which loses no more than a second, and a newcomer, which gets in meanwhile.
//!
//! The attackers keep to a pace, so that what is tested is the node and not the machine's scheduler.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use pinhole_e2e::log::loudly;
use pinhole_e2e::network::{HOST, Network};
use pinhole_e2e::process::{Process, SOON};
use pinhole_e2e::programs::{node_config, repository, server_address, server_url, start_node, start_server};
use pinhole_e2e::skip::{Need, skipped};
use pinhole_e2e::viewer::Viewer;
use pinhole_e2e::wire::Member;
use serde_json::json;

/// The viewer's intervals in a second.
const A_SECOND: usize = 4;

/// A node, and an honest viewer of it.
struct Scene<'network> {
    network: &'network Network,
    _server: Process,
    node: Process,
    viewer: Viewer,
}

fn view(network: &Network) -> Viewer {
    Viewer::watch(network, &server_url(), "porch", &[], SOON)
}

impl<'network> Scene<'network> {
    fn new(network: &'network Network) -> Self {
        let server = start_server(network);
        let config = format!("{}\n[webrtc]\nmax_viewers = 3\n", node_config("porch", "pattern"));
        let node = start_node(network, &config);
        let viewer = view(network);
        Self {
            network,
            _server: server,
            node,
            viewer,
        }
    }

    /// Runs an attack again and again while a newcomer joins and the others watch on.
    fn endures(mut self, what: &str, mut attack: impl FnMut() + Send) {
        let is_over = AtomicBool::new(false);
        let mark = self.node.mark();
        let before = self.node.cpu_ticks();
        let start = Instant::now();
        let newcomer = std::thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(Relaxed) {
                    attack();
                }
            });
            // The attack is under way for as long as a session without a path lasts.
            self.viewer.brings(270);
            let newcomer = view(self.network);
            newcomer.brings(30);
            is_over.store(true, Relaxed);
            newcomer
        });
        let ticks = self.node.cpu_ticks() - before;
        loudly(&format!(
            "{what}: {ticks} ticks of the node in {:.1?}",
            start.elapsed()
        ));
        for (who, viewer) in [("the viewer", self.viewer), ("the newcomer", newcomer)] {
            viewer.goes_on();
            let figures = viewer.figures();
            let pictures = figures
                .iter()
                .map(|figures| figures["frames"].as_u64().unwrap_or_default());
            let pictures: Vec<_> = pictures.skip_while(|pictures| *pictures == 0).collect();
            let without = pictures.split(|pictures| *pictures > 0).map(<[u64]>::len).max();
            let summary = viewer.stop();
            loudly(&format!(
                "{what}: {who} saw {} pictures, the longest gap was {} ms",
                summary["frames"], summary["longest_gap_ms"]
            ));
            assert!(
                without.is_some_and(|without| without <= A_SECOND),
                "{who} had no picture for longer than a second: {pictures:?}"
            );
            assert_eq!(summary["ended"], "stopped", "{summary}");
        }
        self.node.assert_running();
        let lines = self.node.log().since(mark);
        let connected = lines.iter().filter(|line| line.contains("viewer connected"));
        assert_eq!(
            connected.count(),
            1,
            "the newcomer alone: nobody had to call again"
        );
        assert!(lines.len() < 500, "{} lines in the log", lines.len());
    }
}

/// What a browser offers, with these candidates. Each number is another viewer.
fn offer(number: usize, candidates: impl Iterator<Item = SocketAddr>) -> Vec<u8> {
    let file = repository().join("node/src/peer/session/browser-offer.sdp");
    let browser = std::fs::read_to_string(file).expect("it is there");
    let candidates: String = candidates
        .map(|address| {
            let (ip, port) = (address.ip(), address.port());
            format!("a=candidate:1 1 udp 2122260223 {ip} {port} typ host\n")
        })
        .collect();
    let sdp = browser
        .replace(
            "FA:EC",
            &format!("{:02X}:{:02X}", number / 256 % 256, number % 256),
        )
        .replacen("a=mid:0\n", &format!("a=mid:0\n{candidates}"), 1)
        .replace('\n', "\r\n");
    json!({"type": "offer", "sdp": sdp}).to_string().into_bytes()
}

/// Addresses at which nobody is.
fn nowhere(count: u16) -> impl Iterator<Item = SocketAddr> {
    (0..count).map(|port| SocketAddr::from((HOST, 20_000 + port)))
}

fn members<'network>(network: &'network Network, count: usize) -> Vec<Member<'network>> {
    let member = |number| Member::sign_in(network, server_address(), &format!("attacker {number}"));
    (0..count).map(member).collect()
}

mod quick {
    use super::*;

    #[test]
    fn offers_with_a_thousand_candidates_cost_nobody_a_picture() {
        if skipped(Need::Network) {
            return;
        }
        let network = Network::without_guest();
        let scene = Scene::new(&network);
        let attackers = members(&network, 5);
        let porch = attackers[0].find("porch");
        // A third of them is what fits into the longest offer.
        let mut number = 0;
        scene.endures("offers with candidates", || {
            for attacker in &attackers {
                for candidates in [400, 1000] {
                    number += 1;
                    attacker.send(porch, &offer(number, nowhere(candidates)));
                }
                for address in nowhere(30) {
                    let line = format!("candidate:1 1 udp 1 {} {} typ host", address.ip(), address.port());
                    let candidate = json!({"sdpMid": "0", "sdpMLineIndex": 0, "candidate": line});
                    attacker.send(porch, candidate.to_string().as_bytes());
                }
                std::thread::sleep(Duration::from_millis(200));
            }
        });
    }

    #[test]
    fn a_flood_of_offers_costs_nobody_a_picture() {
        if skipped(Need::Network) {
            return;
        }
        let network = Network::without_guest();
        let scene = Scene::new(&network);
        let attackers = members(&network, 20);
        let porch = attackers[0].find("porch");
        let mut number = 0;
        scene.endures("a flood of offers", || {
            // One that is always the same member, and one of many, of which none has a candidate.
            for attacker in [&attackers[0], &attackers[number % attackers.len()]] {
                number += 1;
                attacker.send(porch, &offer(number, nowhere(0)));
            }
            std::thread::sleep(Duration::from_millis(5));
        });
    }

    #[test]
    fn an_address_that_somebody_names_gets_few_packets_however_many_name_it() {
        if skipped(Need::Network) {
            return;
        }
        let network = Network::without_guest();
        let bind = |_| network.inside(|| UdpSocket::bind((HOST, 0)).expect("a free port"));
        let victims: Vec<UdpSocket> = (0..24).map(bind).collect();
        let addresses: Vec<SocketAddr> = victims
            .iter()
            .map(|victim| victim.local_addr().expect("it has one"))
            .collect();
        let scene = Scene::new(&network);
        let attackers = members(&network, 20);
        let porch = attackers[0].find("porch");
        let mut number = 0;
        scene.endures("a reflector", || {
            for attacker in &attackers {
                number += 1;
                attacker.send(porch, &offer(number, addresses.iter().copied()));
                std::thread::sleep(Duration::from_millis(50));
            }
        });
        let (mut most, mut all) = (0, 0);
        for victim in &victims {
            victim.set_nonblocking(true).expect("a socket can be told so");
            let mut buffer = [0; 2048];
            let count = std::iter::from_fn(|| victim.recv(&mut buffer).ok()).count();
            most = most.max(count);
            all += count;
        }
        loudly(&format!(
            "{number} offers, {all} packets to those that they name, {most} to one"
        ));
        assert!(all > 0, "they are checked");
        // No address gets more than 16 in half a minute, and the whole was not longer than a few of these.
        assert!(most <= 64, "{most} packets to one address");
    }
}
