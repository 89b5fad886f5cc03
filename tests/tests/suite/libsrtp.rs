//! What the node seals, before libsrtp: many short sessions of a real libwebrtc, in which packets get lost, ICE begins anew, the viewer moves to
//! another address, and sections are added, switched off and on. Each is drawn by its number, and had again by it.
//!
//! | variable | what it says | without |
//! |---|---|---|
//! | `PINHOLE_LIBSRTP_SESSIONS` | how many sessions | 20; in `dev/soak` 1,000 |
//! | `PINHOLE_LIBSRTP_SEED` | the number of the first | 0 |

use pinhole_e2e::log::loudly;
use pinhole_e2e::network::{HOST, LENT, Network};
use pinhole_e2e::peers::Peer;
use pinhole_e2e::programs::{server_address, server_url, start_node, start_server};
use pinhole_e2e::skip::{Need, skipped};
use serde_json::{Value, json};

/// Sessions that are asked for at once, and how long these may take, in seconds.
const BATCH: u64 = 40;
const PATIENCE: u64 = 400;
/// How often a session is had while the machine had no room for packets.
const TRIES: u32 = 3;
/// What a libwebrtc calls the cipher that is agreed: AES-GCM, which it lists last and the node prefers.
const CIPHER: &str = "SRTP_AEAD_AES_128_GCM";

/// A node with a small picture and a tone, and somebody who has sessions with it.
struct Scene {
    peer: Peer,
    _programs: [pinhole_e2e::process::Process; 2],
    _network: Network,
}

impl Scene {
    fn new(engine: &str) -> Self {
        let network = Network::without_guest();
        network.add_address(LENT);
        let server = start_server(&network);
        let config = format!(
            "name = \"porch\"\n[signaling]\nserver = \"{}\"\n[webrtc]\nmax_viewers = 20\n[[camera]]\ndevice = \"pattern\"\n\
             size = \"160x120\"\nfps = 15\n[[microphone]]\ndevice = \"tone\"\n",
            server_url()
        );
        let node = start_node(&network, &config);
        let mut peer = Peer::sessions(&network);
        peer.ask(
            "start",
            json!({
                "engine": engine, "server": server_address().to_string(), "node": "porch", "lanes": 8,
                "home": HOST.to_string(), "elsewhere": LENT.to_string(),
            }),
        );
        Self {
            peer,
            _programs: [server, node],
            _network: network,
        }
    }

    /// The accounts of so many sessions.
    fn sessions(&mut self, first: u64, count: u64, harm: Option<u32>) -> Vec<Value> {
        let words = json!({"first": first, "count": count, "harm": harm, "within": PATIENCE});
        let mut answer = self.peer.ask("sessions", words);
        let Value::Array(accounts) = answer["sessions"].take() else {
            panic!("no sessions in {answer}");
        };
        assert_eq!(accounts.len() as u64, count);
        accounts
    }
}

fn number(account: &Value, key: &str) -> u64 {
    let number = account[key].as_u64();
    number.unwrap_or_else(|| panic!("no {key} in {account}"))
}

/// Whether something did not arrive as it was sent: of packets that were delivered some were not decrypted, or two had one number.
fn is_harmed(account: &Value) -> bool {
    account["received"] != account["delivered"]
        || number(account, "suspect") > 0
        || number(account, "differing") > 0
}

/// Has sessions, and looks at each.
fn judge(engine: &str, usual: u64) {
    let variable = |name: &str, default| {
        std::env::var(name).map_or(default, |value| {
            value
                .parse()
                .unwrap_or_else(|_| panic!("{name}={value} is no number"))
        })
    };
    let first = variable("PINHOLE_LIBSRTP_SEED", 0);
    let end = first + variable("PINHOLE_LIBSRTP_SESSIONS", usual);
    let mut scene = Scene::new(engine);
    let mut accounts = Vec::new();
    let mut next = first;
    while next < end {
        let count = BATCH.min(end - next);
        for mut account in scene.sessions(next, count, None) {
            for _ in 1..TRIES {
                if number(&account, "overflows") > 0 && is_harmed(&account) {
                    loudly(&format!("once more, as the machine lost packets: {account}"));
                    account = scene.sessions(number(&account, "number"), 1, None).remove(0);
                }
            }
            accounts.push(account);
        }
        next += count;
    }
    let sum = |key| {
        accounts
            .iter()
            .filter_map(|account| account[key].as_u64())
            .sum::<u64>()
    };
    let acts = |name: &str| {
        let all = accounts
            .iter()
            .filter_map(|account| account["course"]["acts"].as_array());
        all.flatten().filter(|act| *act == name).count()
    };
    loudly(&format!(
        "{} sessions with {engine}: {} ICE restarts at the same address, {} at another, sound added {} times, switched off and on {}, the \
         picture {}; {} pictures decoded; {} packets delivered, {} received, {} dropped on the way, {} sent again",
        accounts.len(),
        acts("restart"),
        acts("move"),
        acts("sound"),
        acts("mute"),
        acts("pause"),
        sum("pictures"),
        sum("delivered"),
        sum("received"),
        sum("dropped"),
        sum("again"),
    ));
    let is_wrong = |account: &&Value| {
        !account["error"].is_null()
            || account["cipher"] != CIPHER
            || number(account, "pictures") == 0
            || is_harmed(account)
    };
    let wrong: Vec<_> = accounts.iter().filter(is_wrong).map(Value::to_string).collect();
    assert!(
        wrong.is_empty(),
        "{} went wrong (PINHOLE_LIBSRTP_SEED=NUMBER PINHOLE_LIBSRTP_SESSIONS=1):\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    if accounts.len() >= 20 {
        let happened = [
            acts("restart"),
            acts("move"),
            acts("sound"),
            acts("mute"),
            acts("pause"),
        ];
        assert!(happened.iter().all(|count| *count > 0), "{happened:?}");
        assert!(sum("dropped") > 0 && sum("again") > 0);
    }
}

mod quick {
    use super::*;

    #[test]
    fn libsrtp_decrypts_all_that_arrives() {
        if skipped(Need::Network) {
            return;
        }
        judge("chromium", 20);
    }

    #[test]
    fn a_packet_that_libsrtp_can_not_decrypt_is_noticed() {
        if skipped(Need::Network) {
            return;
        }
        let mut scene = Scene::new("chromium");
        for account in scene.sessions(0, 4, Some(3)) {
            assert!(account["error"].is_null() && is_harmed(&account), "{account}");
        }
    }
}

mod soak {
    use super::*;

    #[test]
    fn libsrtp_decrypts_all_of_a_thousand_sessions() {
        if skipped(Need::Network) {
            return;
        }
        judge("chromium", 1000);
    }

    #[test]
    fn an_older_libsrtp_decrypts_all_of_two_hundred_sessions() {
        if skipped(Need::Network) {
            return;
        }
        judge("wrtc", 200);
    }
}
