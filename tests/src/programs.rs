//! Pinhole's own programs, as they are built, in the place where a test wants them.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::cgroup::Cgroup;
use crate::guest::Guest;
use crate::log::Mark;
use crate::network::{HOST, Network};
use crate::process::{Process, SOON};
use crate::scratch::Scratch;

/// The port of the signaling server; nobody else is in a test's network.
pub const PORT: u16 = 8888;

/// The top of the checkout.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the crate is in the repository")
}

/// A program of the workspace, of the profile that this test was built with.
pub fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    let path = test
        .ancestors()
        .nth(2)
        .expect("tests are built into PROFILE/deps")
        .join(name);
    assert!(
        path.exists(),
        "{} is not built: run  cargo build --workspace --bins --examples",
        path.display()
    );
    path
}

/// One of our programs that are not installed: those under `examples`.
pub fn example(name: &str) -> PathBuf {
    binary(&format!("examples/{name}"))
}

/// Where the server listens, as viewers write it.
pub fn server_url() -> String {
    format!("http://{HOST}:{PORT}")
}

/// Where the server listens.
pub fn server_address() -> SocketAddr {
    SocketAddr::from((HOST, PORT))
}

/// Starts pinhole-server; it answers when this returns.
pub fn start_server(network: &Network) -> Process {
    start_server_with(network, &[])
}

/// The same with more words on its command line.
pub fn start_server_with(network: &Network, words: &[&str]) -> Process {
    until_it_answers(network, server_command(network, words))
}

/// The same in a part of the machine.
pub fn start_server_in(network: &Network, group: &Cgroup) -> Process {
    until_it_answers(network, group.hold(&server_command(network, &[])))
}

fn server_command(network: &Network, words: &[&str]) -> Command {
    let mut command = network.command(binary("pinhole-server"));
    command.args(["--listen", &format!("[::]:{PORT}")]).args(words);
    command
}

fn until_it_answers(network: &Network, command: Command) -> Process {
    let (mut server, _) = Process::spawn("pinhole-server", command);
    let deadline = Instant::now() + SOON;
    while network.inside(|| TcpStream::connect(server_address())).is_err() {
        server.assert_running();
        assert!(
            Instant::now() < deadline,
            "pinhole-server does not listen:\n{}",
            server.log().tail(40)
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    server
}

/// What a test's node is configured with: the name that viewers see, and a camera.
pub fn node_config(name: &str, device: &str) -> String {
    format!(
        "name = {name:?}\n\n[signaling]\nserver = \"{}\"\n\n[[camera]]\ndevice = {device:?}\nsize = \"1280x720\"\nfps = 30\n",
        server_url()
    )
}

/// Starts pinhole-node on the host's side of `network`; it is signed in when this returns.
pub fn start_node(network: &Network, config: &str) -> Process {
    start_node_until(network, config, SIGNED_IN)
}

/// The same, until it says `line`.
pub fn start_node_until(network: &Network, config: &str, line: &str) -> Process {
    let scratch = Scratch::new("node");
    let file = scratch.path().join("node.toml");
    fs::write(&file, config).expect("the temporary directory can be written");
    let mut command = network.command(binary("pinhole-node"));
    command.arg("--config").arg(&file);
    let (node, _) = Process::spawn("pinhole-node", command);
    node.wait_for_line(line);
    // The file is read by now, since the node knows its server.
    node
}

/// Starts pinhole-node in the guest; it is signed in when this returns.
pub fn start_node_in(guest: &Guest, config: &str) -> Process {
    let program = binary("pinhole-node");
    let text = format!(
        "cat >/run/node.toml <<'END'\n{config}\nEND\nexec {} --config /run/node.toml\n",
        program.display()
    );
    let node = guest.start("pinhole-node", &text);
    node.wait_for_line(SIGNED_IN);
    node
}

/// Waits until a session has ended by a viewer's word. Whichever comes first is one: its BYE, its sign-out, or what its libwebrtc
/// sends as it closes the connection. The reason tells more than a time would: it was not given up for having fallen silent.
pub fn wait_for_good_bye(node: &Process, since: Mark) {
    let line = node.wait_for_line_since(since, SESSION_ENDED, SOON);
    let words = ["hung up", "left the server", "closed the connection"];
    assert!(words.iter().any(|words| line.contains(words)), "{line}");
}

/// The node says this when the server has taken it in.
pub const SIGNED_IN: &str = "signed in";
/// The node says this when viewers get the slate because the camera fails; once for a fault.
pub const NO_PICTURE: &str = "no picture: ";
/// The node says this when a viewer's session is over.
pub const SESSION_ENDED: &str = "session ended";
/// The node says this when it gives up something of the picture because the machine has too little time for encoding, as one
/// whose host needs the processor for itself may have at any time.
pub const LESS: &str = "viewers get less of the picture";
/// The node says this when it takes something of it back.
pub const MORE: &str = "viewers get more of the picture again";
/// The node says this when the camera was closed because nobody watches.
pub const CAMERA_CLOSED: &str = "camera closed";
/// The node says this at the start of a camera's work.
pub const CAMERA_OPEN: &str = "camera open";

/// What a browser offers. Each number is another call.
pub fn browser_offer(call: u8) -> String {
    let file = repository().join("node/src/peer/session/browser-offer.sdp");
    let browser = std::fs::read_to_string(file).expect("it is there");
    let own = browser.replace("FA:EC", &format!("FA:{call:02X}"));
    own.replace('\n', "\r\n")
}
