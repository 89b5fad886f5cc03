//! The test bed itself: were it broken, the other tests would prove nothing.

use std::net::SocketAddrV4;
use std::time::Duration;

use pinhole_e2e::guest::Guest;
use pinhole_e2e::network::{HOST, Network};
use pinhole_e2e::peers::Peer;
use pinhole_e2e::process::SOON;
use pinhole_e2e::skip::{Need, skipped};
use pinhole_e2e::stock_server::StockServer;
use pinhole_e2e::wire::{Member, exchange};
use rustix::process::Signal;
use serde_json::json;

mod everything {
    use super::*;

    #[test]
    fn a_guest_obeys_while_it_lives() {
        if skipped(Need::Guest) {
            return;
        }
        let network = Network::for_guest();
        let guest = Guest::boot(&network);
        assert_eq!(guest.must("echo one; echo two >&2"), "one\ntwo");
        assert_eq!(guest.run("exit 7").status, 7);

        let mut first = guest.start(
            "first",
            "echo up; while read -r line; do :; done; exec sleep 1000",
        );
        let mut second = guest.start(
            "second",
            "trap 'echo caught; exit 3' TERM; echo up; while :; do sleep 1; done",
        );
        first.wait_for_line("up");
        second.wait_for_line("up");
        second.signal(Signal::TERM);
        assert_eq!(second.wait(), 3);
        second.wait_for_line("caught");
        first.assert_running();
        first.signal(Signal::KILL);
        assert_eq!(first.wait(), 128 + Signal::KILL.as_raw());
    }

    #[test]
    fn a_guest_has_a_camera_that_can_be_unplugged() {
        if skipped(Need::Guest) {
            return;
        }
        let network = Network::for_guest();
        let guest = Guest::boot(&network);
        let format = "--set-fmt-video=width=1280,height=720,pixelformat=YUYV --set-parm=30";
        guest.must(&format!(
            "v4l2-ctl -d /dev/video0 {format} --stream-mmap --stream-count=30"
        ));

        let mut stream = guest.start(
            "stream",
            &format!("v4l2-ctl -d /dev/video0 {format} --stream-mmap --verbose"),
        );
        stream.wait_for_line("seq");
        guest.must("echo vivid.0 > /sys/bus/platform/drivers/vivid/unbind");
        stream.wait();
        assert_ne!(guest.run("test -e /dev/video0").status, 0);
        guest.must("echo vivid.0 > /sys/bus/platform/drivers/vivid/bind && test -e /dev/video0");
    }

    #[test]
    fn a_guest_is_gone_when_it_is_dropped() {
        if skipped(Need::Guest) {
            return;
        }
        let network = Network::for_guest();
        let guest = Guest::boot(&network);
        let mut job = guest.start("job", "sleep 1000");
        drop(guest);
        assert_ne!(job.wait(), 0);
    }
}

mod quick {
    use super::*;

    /// Two stock-like clients on a stock-like server: what the stock programs do among themselves.
    #[test]
    fn stock_clients_call_each_other() {
        if skipped(Need::Network) {
            return;
        }
        let network = Network::without_guest();
        let server = StockServer::start(&network, SocketAddrV4::new(HOST, 8888));
        let mut caller = Peer::stock_client(&network);
        let mut called = Peer::stock_client(&network);
        let address = server.address().to_string();
        called.ask("sign_in", json!({"server": address, "name": "Called One@pc"}));
        // The stock server cuts a name at its first space.
        let signed_in = caller.ask("sign_in", json!({"server": address, "name": "Caller@pc"}));
        assert_eq!(signed_in["members"][0]["name"], "Called");
        let member = signed_in["members"][0]["id"].clone();

        caller.ask("call", json!({"member": member, "camera": true}));
        called.ask("frames", json!({"changing": 11}));
        caller.ask("hang_up", json!({}));
        called.wait_for_line("call dropped");
        caller.ask("sign_out", json!({}));
        assert_eq!(server.dropped_requests(), Vec::<String>::new());
    }

    #[test]
    fn the_stock_server_forgets_and_drops() {
        if skipped(Need::Network) {
            return;
        }
        let network = Network::without_guest();
        let server = StockServer::start(&network, SocketAddrV4::new(HOST, 8888));
        let address = server.address().into();
        let one = Member::sign_in(&network, address, "one");
        let two = Member::sign_in(&network, address, "two");
        assert_eq!(two.find("one"), one.id);
        assert_eq!(one.wait(SOON), Some((one.id, format!("two,{},1\n", two.id))));
        assert_eq!(two.send(one.id, b"hello"), 200);
        assert_eq!(one.wait(SOON), Some((two.id, "hello".to_owned())));

        server.forget("two");
        assert_eq!(two.send(one.id, b"hello"), 500);
        assert_eq!(one.wait(SOON), Some((one.id, format!("two,{},0\n", two.id))));

        let lower_case = format!(
            "POST /message?peer_id={0}&to={0} HTTP/1.0\r\ncontent-length: 2\r\ncontent-type: text/plain\r\n\r\nhi",
            one.id
        );
        assert!(
            exchange(&network, address, lower_case.as_bytes()).is_err(),
            "a lower-case header must not be understood"
        );
        assert_eq!(server.dropped_requests().len(), 1);
        assert!(server.await_sign_in("one", 1, Duration::ZERO));
    }
}
