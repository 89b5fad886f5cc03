//! Offers of other shapes than a browser's, sent to a running node by the signaling protocol, and viewers that make such offers.

use std::fs;

use pinhole_e2e::network::Network;
use pinhole_e2e::peers::Peer;
use pinhole_e2e::process::SOON;
use pinhole_e2e::programs::{NO_PICTURE, node_config, repository, server_address, start_node, start_server};
use pinhole_e2e::skip::{Need, skipped};
use pinhole_e2e::wire::Member;
use serde_json::{Value, json};

/// An offer of `tests/offers`.
fn offer(name: &str) -> String {
    let path = repository().join("tests/offers").join(name).with_extension("sdp");
    let sdp = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    sdp.replace('\n', "\r\n")
}

/// The answer to an offer, as a viewer of its own gets it.
fn answer(network: &Network, name: &str, sdp: &str) -> String {
    let viewer = Member::sign_in(network, server_address(), name);
    let porch = viewer.find("porch");
    let message = json!({"type": "offer", "sdp": sdp}).to_string();
    assert_eq!(viewer.send(porch, message.as_bytes()), 200);
    loop {
        let (from, text) = viewer
            .wait(SOON)
            .unwrap_or_else(|| panic!("{name} is not answered"));
        let message: Value = serde_json::from_str(&text).unwrap_or_default();
        if from == porch && message["type"] == "answer" {
            return message["sdp"]
                .as_str()
                .expect("an answer has a description")
                .to_owned();
        }
        assert!(
            from != porch || message["candidate"].is_string(),
            "{name} is told {text}"
        );
    }
}

mod quick {
    use super::*;

    #[test]
    fn offers_of_every_shape_are_answered_or_refused_with_the_reason() {
        if skipped(Need::Network) {
            return;
        }
        let network = Network::without_guest();
        let _server = start_server(&network);
        let mut node = start_node(&network, &node_config("porch", "pattern"));
        for (name, lines) in [
            (
                "no-bundle",
                &[
                    "m=video 9 UDP/TLS/RTP/SAVPF 96",
                    "a=mid:0",
                    "a=rtpmap:96 VP8/90000",
                ][..],
            ),
            (
                "webrtcbin",
                &[
                    "m=video 9 UDP/TLS/RTP/SAVPF 96",
                    "a=mid:video0",
                    "a=rtpmap:96 H264/90000",
                ],
            ),
            (
                "zone-candidate",
                &["m=video 9 UDP/TLS/RTP/SAVPF 96", "a=group:BUNDLE 0"],
            ),
            (
                "host-name-candidate",
                &["m=video 9 UDP/TLS/RTP/SAVPF 96", "a=group:BUNDLE 0"],
            ),
            (
                "setup-passive",
                &["m=video 9 UDP/TLS/RTP/SAVPF 96", "a=setup:active"],
            ),
            (
                "text-section",
                &[
                    "m=video 9 UDP/TLS/RTP/SAVPF 96",
                    "m=text 0 UDP/TLS/RTP/SAVPF 98",
                    "a=mid:5",
                    "a=group:BUNDLE 0",
                ],
            ),
            (
                "profile-42401f",
                &["m=video 9 UDP/TLS/RTP/SAVPF 102", "a=rtpmap:102 H264/90000"],
            ),
        ] {
            let sdp = offer(name);
            let answer = answer(&network, name, &sdp);
            for line in lines.iter().chain(&["a=sendonly"]) {
                assert!(
                    answer.lines().any(|other| other == *line),
                    "{name}: {line} is not in {answer}"
                );
            }
            let sections = |sdp: &str| sdp.matches("\r\nm=").count();
            assert_eq!(sections(&answer), sections(&sdp), "{name}: {answer}");
            assert_eq!(
                answer.contains("a=group"),
                sdp.contains("a=group"),
                "{name}: {answer}"
            );
        }
        let viewer = Member::sign_in(&network, server_address(), "whole pictures");
        let sdp = offer("profile-42401f").replace("packetization-mode=1", "packetization-mode=0");
        let message = json!({"type": "offer", "sdp": sdp}).to_string();
        assert_eq!(viewer.send(viewer.find("porch"), message.as_bytes()), 200);
        let (_, told) = viewer.wait(SOON).expect("it is told something");
        assert!(told.contains("packetization-mode 1"), "{told}");
        node.assert_running();
    }

    #[test]
    fn viewers_that_have_no_group_or_are_passive_see_the_picture() {
        if skipped(Need::Network) {
            return;
        }
        let network = Network::without_guest();
        let _server = start_server(&network);
        let node = start_node(&network, &node_config("porch", "pattern"));
        for (name, replace) in [
            ("alone", json!([["a=group:BUNDLE 0\r\n", ""]])),
            ("passive", json!([["a=setup:actpass", "a=setup:passive"]])),
        ] {
            let mut client = Peer::stock_client(&network);
            client.ask(
                "sign_in",
                json!({"server": server_address().to_string(), "name": name}),
            );
            let member = client.ask("await_member", json!({"name": "porch"}))["member"].clone();
            client.ask("offers", json!({"alone": true, "replace": replace}));
            client.ask("call", json!({"member": member}));
            client.ask("frames", json!({"changing": 20}));
            let media = client.ask("media", json!({}));
            assert_eq!(media["video"]["codec"], "video/VP8", "{media}");
            client.ask("hang_up", json!({}));
        }
        node.assert_never_said(NO_PICTURE);
    }
}
