//! Which of a machine's addresses the node offers to viewers.

use std::net::IpAddr;

use pinhole_e2e::eventually::eventually;
use pinhole_e2e::network::{HOST, Network};
use pinhole_e2e::process::SOON;
use pinhole_e2e::programs::{browser_offer, node_config, server_address, start_node, start_server};
use pinhole_e2e::skip::{Need, skipped};
use pinhole_e2e::wire::Member;
use rustix::process::{Resource, Rlimit, getrlimit};
use serde_json::{Value, json};

/// Makes a bridge as containers have it.
fn add_bridge(network: &Network, number: u8) {
    let bridge = format!("docker{number}");
    network.ip(&["link", "add", &bridge, "type", "bridge"]);
    let address = format!("172.{}.0.1/16", 16 + number);
    network.ip(&["address", "add", &address, "dev", &bridge]);
    network.ip(&["link", "set", &bridge, "up"]);
}

/// Makes two interfaces with a cable between them.
fn plug(network: &Network, one: &str, other: &str) {
    network.ip(&["link", "add", one, "type", "veth", "peer", "name", other]);
    network.ip(&["link", "set", one, "up"]);
    network.ip(&["link", "set", other, "up"]);
}

/// Makes a network with a router, through which the rest of the world is.
fn join_lan(network: &Network, name: &str, subnet: u8) {
    plug(network, name, &format!("{name}-far"));
    let address = format!("192.168.{subnet}.2/24");
    network.ip(&["address", "add", &address, "dev", name]);
    let address = format!("2001:db8:{subnet}::2/64");
    network.ip(&["address", "add", &address, "dev", name, "nodad"]);
    let router = format!("192.168.{subnet}.1");
    network.ip(&["route", "add", "default", "via", &router]);
}

/// The id of the node. One that it had before may be in the list for a while.
fn porch(viewer: &Member<'_>) -> u64 {
    let others = viewer.others.iter().filter(|(name, _)| name == "porch");
    others.map(|(_, id)| *id).max().expect("the node is there")
}

/// The addresses in the node's answer to an offer, in their order.
fn offered(viewer: &Member<'_>, call: u8) -> Vec<IpAddr> {
    let offer = json!({"type": "offer", "sdp": browser_offer(call)}).to_string();
    assert_eq!(viewer.send(porch(viewer), offer.as_bytes()), 200);
    let answer = loop {
        let (_, body) = viewer.wait(SOON).expect("the node answers");
        // What comes first may be news of who is there.
        let message: Value = serde_json::from_str(&body).unwrap_or_default();
        if message["type"] == "answer" {
            break message["sdp"].as_str().expect("it has a description").to_owned();
        }
    };
    let candidates = answer
        .lines()
        .filter_map(|line| line.strip_prefix("a=candidate:"));
    let mut addresses: Vec<IpAddr> = Vec::new();
    for candidate in candidates {
        let address = candidate.split(' ').nth(4).expect("it has an address");
        let address = address.parse().expect("of numbers");
        // Each section has them.
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    addresses
}

mod quick {
    use super::*;

    #[test]
    fn the_networks_that_are_in_use_come_before_thirteen_bridges_and_those_of_now_are_told() {
        if skipped(Need::Network) {
            return;
        }
        let network = Network::without_guest();
        for number in 1..=13 {
            add_bridge(&network, number);
        }
        join_lan(&network, "lan", 50);
        let _server = start_server(&network);
        let _node = start_node(&network, &node_config("porch", "pattern"));
        let viewer = Member::sign_in(&network, server_address(), "viewer");
        let address = |text: &str| text.parse::<IpAddr>().expect("an address");
        let server = IpAddr::from(HOST);

        let offered_first = offered(&viewer, 1);
        let expected = [server, address("192.168.50.2"), address("2001:db8:50::2")];
        assert_eq!(offered_first[..3], expected, "{offered_first:?}");
        // Then bridges, as many as there is room for.
        let is_bridge = |address: &IpAddr| address.to_string().starts_with("172.");
        assert!(offered_first[3..].iter().all(is_bridge), "{offered_first:?}");
        assert_eq!(offered_first.len(), 12, "{offered_first:?}");

        network.ip(&["link", "delete", "lan"]);
        join_lan(&network, "wifi", 60);
        let offered_then = offered(&viewer, 2);
        let expected = [server, address("192.168.60.2"), address("2001:db8:60::2")];
        assert_eq!(offered_then[..3], expected, "{offered_then:?}");
        assert!(!offered_then.contains(&address("192.168.50.2")));
    }

    #[test]
    fn too_few_file_descriptors_are_told_as_such() {
        if skipped(Need::Network) {
            return;
        }
        let network = Network::without_guest();
        let _server = start_server(&network);
        let node = start_node(&network, &node_config("porch", "pattern"));
        let mut viewer = Member::sign_in(&network, server_address(), "viewer");
        let none_left = Rlimit {
            current: Some(3),
            // As it has it from us. Not everybody may raise it again.
            ..getrlimit(Resource::Nofile)
        };
        let refusal = (0..5).find_map(|attempt| {
            // By its answer the node mostly waits for the next message.
            assert_eq!(offered(&viewer, 4 + attempt)[0], IpAddr::from(HOST));
            let mark = node.mark();
            let before = node.limit_files(none_left);
            let offer = json!({"type": "offer", "sdp": browser_offer(2)}).to_string();
            assert_eq!(viewer.send(porch(&viewer), offer.as_bytes()), 200);
            let told = eventually(SOON, || {
                let lines = node.log().since(mark);
                let is_it = |line: &String| line.contains("offer refused") || line.contains("not signed in");
                lines.into_iter().find(is_it)
            });
            node.limit_files(before);
            let told = told.expect("it says what it lacks");
            // It was between two waits, so that no offer came to it.
            if told.contains("not signed in") {
                node.wait_for_line_since(mark, "signed in server=", SOON);
                viewer = Member::sign_in(&network, server_address(), "viewer");
                return None;
            }
            Some(told)
        });
        let refusal = refusal.expect("an offer came to it");
        assert!(refusal.contains("LimitNOFILE"), "{refusal}");
        assert_eq!(offered(&viewer, 3)[0], IpAddr::from(HOST));
    }
}
