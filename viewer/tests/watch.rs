//! The program against a real server and a small camera node, over real sockets.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

#[path = "camera/mod.rs"]
mod camera;

use std::{path::Path, process::Stdio, time::Duration};

use camera::Manner;
use pinhole_server::{config::Config, http::Server};
use pinhole_service::watchdog::Watchdog;
use pinhole_signaling::{CallTag, Client, Envelope, Event, Message, Name, PeerId, Refusal, ServerUrl};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    sync::mpsc,
    task::JoinSet,
    time,
};
use tokio_util::sync::CancellationToken;

/// No test takes longer, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server and perhaps a camera, until dropped.
struct Scene {
    server: ServerUrl,
    tasks: JoinSet<()>,
    stop_server: CancellationToken,
}

impl Scene {
    fn new() -> Self {
        let mut scene = Self {
            server: "http://127.0.0.1:1".parse().expect("a URL"),
            tasks: JoinSet::new(),
            stop_server: CancellationToken::new(),
        };
        scene.start_server("127.0.0.1:0");
        scene
    }

    fn start_server(&mut self, listen: &str) {
        let config = Config {
            listen: listen.parse().expect("an address"),
            ..Config::default()
        };
        let server = Server::bind(&config).expect("a free port");
        self.server = format!("http://{}", server.address()).parse().expect("a URL");
        self.stop_server = CancellationToken::new();
        let pulse = Watchdog::default().pulse("the server", PATIENCE);
        self.tasks.spawn(server.run(self.stop_server.clone(), pulse));
    }

    /// Stops the server and waits until it is gone.
    async fn stop_server(&mut self) {
        self.stop_server.cancel();
        self.tasks
            .join_next()
            .await
            .expect("a server")
            .expect("it ends well");
    }

    async fn with(name: &'static str, manner: Manner) -> Self {
        let mut scene = Self::new();
        let (ready_in, mut ready) = mpsc::channel(1);
        let server = scene.server.clone();
        scene
            .tasks
            .spawn(async move { camera::run(server, name, manner, ready_in).await });
        ready.recv().await.expect("the camera signs in");
        scene
    }

    fn view(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pinhole-view"));
        command
            .arg("--server")
            .arg(self.server.to_string())
            .args(arguments);
        command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Runs the viewer to its end.
    async fn run(&mut self, arguments: &[&str]) -> Seen {
        let output = time::timeout(PATIENCE, self.view(arguments).output());
        let output = output.await.expect("in time").expect("the viewer runs");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        let seen = Seen {
            code: output.status.code(),
            out: text(output.stdout),
            err: text(output.stderr),
        };
        // A camera that failed would otherwise look like a silent one.
        while let Some(ended) = self.tasks.try_join_next() {
            ended.expect("the camera or the server failed");
        }
        seen
    }
}

#[derive(Debug)]
struct Seen {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Seen {
    fn lines(&self) -> Vec<Value> {
        self.out
            .lines()
            .map(|line| serde_json::from_str(line).expect("a JSON line"))
            .collect()
    }

    fn summary(&self) -> Value {
        let last = self
            .lines()
            .pop()
            .unwrap_or_else(|| panic!("no output: {self:?}"));
        last["summary"].clone()
    }
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("not a number: {value}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn h264_is_decoded_measured_and_recorded() {
    let mut scene = Scene::with("porch", Manner::H264).await;
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("porch.mkv");
    let file_name = file.to_str().expect("UTF-8");
    let seen = scene
        .run(&["watch", "por", "--seconds", "3", "--json", "--record", file_name])
        .await;
    let summary = seen.summary();
    assert_eq!(seen.code, Some(0), "{seen:?}");
    assert_eq!(
        (&summary["node"], &summary["ended"]),
        (&"porch".into(), &"time-up".into())
    );
    assert_eq!(
        (&summary["codec"], &summary["width"], &summary["height"]),
        (&"h264".into(), &320.into(), &192.into())
    );
    assert!(number(&summary["frames"]) > 45.0, "{summary}");
    assert!(number(&summary["changed_frames"]) > 45.0, "{summary}");
    assert_eq!(
        (&summary["packets_lost"], &summary["gaps"]),
        (&0.into(), &0.into()),
        "{summary}"
    );
    let median = number(&summary["latency_ms"]["median"]);
    assert!(
        (0.0..1000.0).contains(&median),
        "the clock was drawn on this machine: {summary}"
    );
    assert!(number(&summary["time_to_first_frame_ms"]) < 10_000.0, "{summary}");
    assert!(seen.lines().len() >= 3, "a line a second: {}", seen.out);
    assert_eq!(summary["recorded"][0]["path"], file_name);
    assert_plays(&file, "h264", number(&summary["recorded"][0]["frames"]) as u64);

    let again = scene
        .run(&["watch", "porch", "--seconds", "1", "--record", file_name])
        .await;
    assert_eq!(again.code, Some(9), "{again:?}");
    assert!(
        again.err.contains("exists") && again.err.contains("--force"),
        "{again:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn vp8_is_decoded_and_recorded() {
    let mut scene = Scene::with("porch", Manner::Vp8).await;
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("porch.webm");
    let file_name = file.to_str().expect("UTF-8");
    let seen = scene
        .run(&[
            "watch",
            "porch",
            "--seconds",
            "2",
            "--json",
            "--record",
            file_name,
        ])
        .await;
    let summary = seen.summary();
    assert_eq!(seen.code, Some(0), "{seen:?}");
    assert_eq!(
        (&summary["codec"], &summary["width"]),
        (&"vp8".into(), &64.into()),
        "{summary}"
    );
    assert!(number(&summary["frames"]) > 30.0, "{summary}");
    assert_eq!(summary["latency_ms"], Value::Null, "its picture has no clock");
    assert_plays(&file, "vp8", number(&summary["recorded"][0]["frames"]) as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_makes_the_offer_is_answered() {
    let mut scene = Scene::with("porch", Manner::Offers).await;
    let seen = scene.run(&["watch", "porch", "--seconds", "1", "--json"]).await;
    assert_eq!(seen.code, Some(0), "{seen:?}");
    assert!(number(&seen.summary()["frames"]) > 10.0, "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_hangs_up_and_leaves_ends_the_watch() {
    let mut scene = Scene::with("porch", Manner::Leaves(40)).await;
    let seen = scene.run(&["watch", "porch", "--json"]).await;
    assert_eq!(
        (seen.code, &seen.summary()["ended"]),
        (Some(0), &"hung-up".into()),
        "{seen:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_say_what_is_wrong_and_have_their_exit_codes() {
    let mut scene = Scene::with("porch", Manner::Refuses).await;
    let refused = scene.run(&["watch", "porch"]).await;
    assert_eq!(refused.code, Some(5), "{refused:?}");
    assert!(refused.err.contains("enough viewers"), "{refused:?}");

    let missing = scene
        .run(&["watch", "garden", "--wait", "0.5", "--interval", "0.1", "--json"])
        .await;
    assert_eq!(
        missing.lines().len(),
        1,
        "there are no figures of nobody: {missing:?}"
    );
    assert_eq!(
        (missing.code, &missing.summary()["ended"]),
        (Some(4), &"not-there".into()),
        "{missing:?}"
    );
    assert!(
        missing
            .err
            .contains("no camera called \"garden\" is on the server; there is: \"porch\""),
        "{missing:?}"
    );
    assert!(
        missing.summary()["reason"]
            .as_str()
            .is_some_and(|reason| reason.contains("\"porch\""))
    );

    let webm = scene
        .run(&["watch", "porch", "--codec", "h264", "--record", "x.webm"])
        .await;
    assert_eq!(webm.code, Some(9), "{webm:?}");

    let nowhere = Scene::new();
    let free = nowhere.server.clone();
    drop(nowhere);
    let mut unreachable = Scene::new();
    unreachable.server = free;
    let listed = unreachable.run(&["list"]).await;
    assert_eq!(listed.code, Some(3), "{listed:?}");
    let watched = unreachable.run(&["watch", "porch", "--json"]).await;
    assert_eq!(
        (watched.code, &watched.summary()["ended"]),
        (Some(3), &"no-server".into()),
        "{watched:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_restarts_costs_the_stream_nothing_and_is_told_once() {
    let mut scene = Scene::with("porch", Manner::H264).await;
    let mut child = scene
        .view(&["watch", "porch", "--json"])
        .spawn()
        .expect("the viewer runs");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut asides = BufReader::new(child.stderr.take().expect("a pipe")).lines();
    let mut told = Vec::new();
    let mut until = async |word: &str| {
        loop {
            let line = asides
                .next_line()
                .await
                .expect("lines")
                .expect("the viewer goes on");
            told.push(line);
            if told.last().is_some_and(|line| line.contains(word)) {
                return told.len();
            }
        }
    };
    time::timeout(PATIENCE, async {
        until("calling").await;
        while !lines
            .next_line()
            .await
            .expect("lines")
            .expect("it goes on")
            .contains("\"codec\":\"h264\"")
        {}
        let address = scene.server.authority();
        scene.stop_server().await;
        let gone = until("goes on without it").await;
        scene.start_server(&address);
        assert_eq!(
            until("server is back").await,
            gone + 1,
            "nothing else is told between"
        );
        let id = child.id().expect("it runs").to_string();
        assert!(
            Command::new("kill")
                .args(["-s", "INT", &id])
                .status()
                .await
                .expect("kill runs")
                .success()
        );
        let mut last = String::new();
        while let Some(line) = lines.next_line().await.expect("lines") {
            last = line;
        }
        let summary: Value = serde_json::from_str(&last).expect("JSON");
        let summary = &summary["summary"];
        assert_eq!(
            (&summary["packets_lost"], &summary["gaps"]),
            (&0.into(), &0.into()),
            "{summary}"
        );
        assert_eq!(
            (&summary["ended"], &summary["exit_code"]),
            (&"stopped".into(), &0.into()),
            "{summary}"
        );
    })
    .await
    .expect("in time");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slate_in_place_of_the_picture_is_told_once_for_each_change() {
    let mut scene = Scene::with("porch", Manner::Slate).await;
    let seen = scene.run(&["watch", "porch", "--seconds", "3", "--json"]).await;
    assert_eq!(seen.code, Some(0), "{seen:?}");
    let told: Vec<_> = seen
        .lines()
        .into_iter()
        .filter_map(|line| Some(line.get("camera")?["slate"].clone()))
        .collect();
    let no_signal = serde_json::json!({"code": "no-signal", "reason": "/dev/video0 was unplugged"});
    let private = serde_json::json!({"code": "private"});
    assert_eq!(told, [no_signal, Value::Null, private.clone()], "{seen:?}");
    assert_eq!(seen.summary()["slate"], private, "{seen:?}");
    let words = "the camera gives no picture: /dev/video0 was unplugged\nthe camera's picture is back\nthe camera is private\n";
    assert!(seen.err.contains(words), "{seen:?}");
}

/// The next offer that a camera hears: from whom, and of which call.
async fn next_offer(camera: &Client) -> (PeerId, Option<CallTag>) {
    loop {
        let event = camera.wait().await.expect("the server is there");
        let Event::Message { from, body } = event else {
            continue;
        };
        let Envelope { call, message } = Envelope::parse(&body).expect("a message of the viewer");
        if matches!(message, Message::Description(_)) {
            return (from, call);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_goodbye_to_the_call_before_that_waited_at_the_server_does_not_end_the_new_one() {
    let scene = Scene::new();
    let (camera, _) = Client::sign_in(&scene.server, None, &Name::from("porch"))
        .await
        .expect("a camera signs in");
    let child = scene
        .view(&["watch", "porch", "--json"])
        .spawn()
        .expect("the viewer runs");
    let id = child.id().expect("it runs").to_string();
    let signal = async |name: &str| {
        let status = Command::new("kill").args(["-s", name, &id]).status().await;
        assert!(status.expect("kill runs").success());
    };
    let output = time::timeout(PATIENCE, async {
        let (viewer, first) = next_offer(&camera).await;
        // It has no answer, so after a while there is another call.
        let (_, second) = next_offer(&camera).await;
        assert!(first.is_some() && second.is_some() && first != second);
        signal("STOP").await;
        let says = async |call, message| {
            let said = camera.send_of_call(viewer, &Envelope { call, message }).await;
            said.expect("the server takes it");
        };
        let refusal = |reason: &str| {
            Message::Refusal(Refusal {
                code: "silent".to_owned(),
                reason: reason.to_owned(),
            })
        };
        // The first of these may be with the viewer's machine; the others wait at the server until it asks for them.
        says(first, refusal("of the call before")).await;
        says(first, Message::Bye).await;
        says(second, refusal("of this call")).await;
        says(second, Message::Bye).await;
        signal("CONT").await;
        child.wait_with_output().await.expect("it ends")
    });
    let output = output.await.expect("in time");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    let seen = Seen {
        code: output.status.code(),
        out: text(output.stdout),
        err: text(output.stderr),
    };
    assert_eq!(
        seen.summary()["reason"],
        "the node refused the call: of this call",
        "{seen:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn members_are_listed() {
    let mut scene = Scene::with("a porch", Manner::Silent).await;
    let list = scene.run(&["list"]).await;
    assert_eq!(
        (list.code, list.out.as_str()),
        (Some(0), "    1  a porch\n"),
        "{list:?}"
    );
    let json = scene.run(&["list", "--json"]).await;
    assert_eq!(json.lines(), [serde_json::json!({ "id": 1, "name": "a porch" })]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_hangs_up_and_finishes_and_a_kill_leaves_a_file_that_plays() {
    let mut scene = Scene::with("porch", Manner::H264).await;
    let directory = tempfile::tempdir().expect("a directory");
    for (signal, name) in [
        ("INT", "stopped.mkv"),
        ("TERM", "terminated.mkv"),
        ("KILL", "killed.mkv"),
    ] {
        let file = directory.path().join(name);
        let arguments = [
            "watch",
            "porch",
            "--json",
            "--record",
            file.to_str().expect("UTF-8"),
        ];
        let mut child = scene.view(&arguments).spawn().expect("the viewer runs");
        let summary = time::timeout(PATIENCE, until_pictures_then(signal, &mut child))
            .await
            .expect("in time");
        if signal == "KILL" {
            assert_plays(&file, "h264", 1);
        } else {
            let summary = summary.expect("a summary");
            assert_eq!(summary["ended"], "stopped", "{summary}");
            assert_plays(&file, "h264", number(&summary["recorded"][0]["frames"]) as u64);
        }
    }
    // Those that could say goodbye are gone; the killed one stays for the server's 30 s.
    let list = scene.run(&["list"]).await;
    assert_eq!(list.out.lines().count(), 2, "{list:?}");
}

/// Waits for over 20 pictures, sends the signal, and gives the summary, if one still came.
async fn until_pictures_then(signal: &str, child: &mut Child) -> Option<Value> {
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut sent = false;
    let mut summary = None;
    while let Some(line) = lines.next_line().await.expect("lines") {
        let line: Value = serde_json::from_str(&line).expect("a JSON line");
        if !sent && line["frames"].as_u64().is_some_and(|frames| frames > 20) {
            let id = child.id().expect("it runs").to_string();
            let status = Command::new("kill").args(["-s", signal, &id]).status().await;
            assert!(status.expect("kill runs").success());
            sent = true;
        }
        summary = line.get("summary").cloned();
    }
    let status = child.wait().await.expect("it ends");
    assert_eq!(status.code(), if signal == "KILL" { None } else { Some(0) });
    summary
}

/// Asks ffprobe and ffmpeg, where there are any, whether a file is what it says, with at least that many frames
/// and no error in any.
fn assert_plays(file: &Path, codec: &str, frames: u64) {
    let run = |program: &str, before: &[&str], after: &[&str]| {
        std::process::Command::new(program)
            .args(before)
            .arg(file)
            .args(after)
            .output()
    };
    let probe = ["-v", "error", "-count_frames", "-select_streams", "v:0"];
    let entries = [
        "-show_entries",
        "stream=codec_name,nb_read_frames",
        "-of",
        "csv=p=0",
    ];
    let probed = match run("ffprobe", &[&probe[..], &entries].concat(), &[]) {
        Ok(output) => output,
        Err(error) => {
            assert!(
                std::env::var_os("CI").is_none(),
                "no ffprobe to check recordings with: {error}"
            );
            return;
        }
    };
    let text = String::from_utf8_lossy(&probed.stdout).trim().to_owned();
    let (name, count) = text
        .split_once(',')
        .unwrap_or_else(|| panic!("{file:?}: {text}, {probed:?}"));
    assert_eq!(name, codec);
    let count: u64 = count.trim().parse().expect("a count of frames");
    assert!(count >= frames, "{file:?}: {count} of {frames} frames");
    let decoded =
        run("ffmpeg", &["-v", "error", "-xerror", "-i"], &["-f", "null", "-"]).expect("ffmpeg runs");
    let complaints = String::from_utf8_lossy(&decoded.stderr);
    assert!(
        decoded.status.success() && complaints.is_empty(),
        "{file:?}: {complaints}"
    );
}
