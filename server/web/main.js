// The viewer page: puts the rooms together and keeps the address bar in step.
//
// The way of a picture: signaling.js (who is there, messages) -> watch.js (when to call) -> session.js (one call)
// -> view.js (the screen). The way of a voice: talk.js -> session.js. words.js says everything that is said, stats.js measures, and
// reserve.js says how long pictures are held back for what got lost.
//
// Hooks that tests and user scripts may rely on:
//   [data-camera="NAME"]        the button of a camera; data-id its member id, data-present "true" or "false",
//                               aria-current "true" on the one being watched
//   #server[data-state]         connecting | online | offline: the signaling server
//   #status[data-state]         connecting | live | waiting | error: the watched camera; its text says it in words
//   #status[data-trouble]       the code of what is wrong (words.js), or empty; "no-signal" and "private" while a connected camera shows
//                               nothing but a slate that says so
//   #detail                     what can be done about it, in words
//   video#picture               the picture
//   #talk[data-state]           ready | asking | talking | refused: the button for talking; hidden where the camera has no loudspeaker;
//                               #talk-note says what is wrong; data-fault "true" where the loudspeaker does not work
//   #sound #figures #fullscreen #close #retry #play     buttons; #sound-group is hidden where the camera has no microphone
//   #volume #level              how loud to play, how loud it is, while the sound is on
//   #controls                   what the camera's node lets one do; in it [data-output="NAME"] (data-on), [data-input] (data-on), #pad, #centre,
//                               [data-servo], [data-control], #snapshot, #words, #events li; data-fault "true" on what does not work,
//                               #faults li says what is wrong with it
//   #panel [data-stat="KEY"]    resolution fps bitrate loss rtt buffer dropped codec sound path
//   #watch=NAME                 in the address: watch the camera of that name, now or when it comes

import { Signaling } from "./signaling.js";
import { View } from "./view.js";
import { Watch } from "./watch.js";

const HASH = "#watch=";
/** Other people's pages and terminals (pinhole-view) are members too, but no cameras. */
const VIEWER_NAME = /^viewer_[0-9a-z]+@(web|terminal)$/;

// Without a user name and password that stood in the address: fetch refuses URLs with them, and the browser sends them
// along anyway.
const HERE = new URL(".", location.origin + location.pathname);

const signaling = new Signaling(`viewer_${randomWord(6)}@web`, HERE);
let watch = null;

const view = new View({
  choose: (camera) => choose(camera.name, camera.id),
  retry: () => watch?.retry(),
  shown: () => watch?.pictureCame(),
  close: () => choose(null),
  recipe: recipe(),
});

signaling.addEventListener("online", () => {
  view.server("online");
  showCameras();
});
signaling.addEventListener("offline", ({ detail }) => {
  view.server("offline", detail.error);
  showCameras();
});
signaling.addEventListener("presence", showCameras);
signaling.addEventListener("message", ({ detail }) => {
  if (watch?.receive(detail)) return;
  // This page takes no calls.
  if (isOffer(detail.body)) signaling.send(detail.from, "BYE").catch(() => {});
});

addEventListener("hashchange", () => follow(null));
addEventListener("online", networkChanged);
// Another network, where the browser tells of it (Chromium).
navigator.connection?.addEventListener?.("change", networkChanged);
addEventListener("visibilitychange", () => {
  if (!document.hidden) signaling.nudge();
});
addEventListener("pagehide", () => {
  watch?.stopAtOnce();
  watch = null;
  signaling.stop();
});
addEventListener("pageshow", (event) => {
  // Back from the browser's page cache, where pagehide had ended everything.
  if (event.persisted) begin();
});

begin();

function networkChanged() {
  signaling.nudge();
  watch?.networkChanged();
}

function begin() {
  signaling.start();
  follow(null);
}

/** A click on a camera (or on close) goes through the address, so that the back button and a reload work. */
function choose(name, id = null) {
  const hash = name === null ? "" : HASH + encodeURIComponent(name);
  if (hash !== location.hash) history.pushState(null, "", location.pathname + location.search + hash);
  else if (watch && id === watch.target) {
    watch.retry();
    return;
  }
  follow(id);
}

/** Watches what the address names. */
function follow(id) {
  const name = nameInAddress();
  if (watch && watch.name === name && id === null) return;
  watch?.stop();
  watch = null;
  if (name !== null) {
    const next = new Watch(name, id, signaling);
    watch = next;
    next.addEventListener("state", () => {
      view.state(next);
      showCameras();
    });
    next.addEventListener("stream", () => {
      view.stream(next);
      showCameras(); // Where several have the name, another one may be on the screen now.
    });
    next.addEventListener("freeze", () => view.freeze());
    next.addEventListener("stats", ({ detail }) => view.stats(detail, next));
  }
  view.watching(watch);
  watch?.start();
  showCameras();
}

function nameInAddress() {
  if (!location.hash.startsWith(HASH)) return null;
  const written = location.hash.slice(HASH.length);
  try {
    return decodeURIComponent(written) || null;
  } catch {
    return written; // A stray % that somebody typed.
  }
}

function showCameras() {
  const cameras = [...signaling.members.values()]
    .filter((member) => !VIEWER_NAME.test(member.name))
    .sort((one, other) => one.name.localeCompare(other.name, undefined, { numeric: true }) || other.id - one.id);
  view.cameras(cameras, watch, signaling);
}

function isOffer(body) {
  try {
    return JSON.parse(body)?.type === "offer";
  } catch {
    return false; // BYE, or nothing that this page knows.
  }
}

/** The lines of node.toml that bring a camera to this server. */
function recipe() {
  const here = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
  const hint = here ? "\n# from another computer: this one's address" : "";
  return `[signaling]\nserver = "${location.origin}"${hint}`;
}

function randomWord(length) {
  const letters = "0123456789abcdefghijklmnopqrstuvwxyz";
  return Array.from(crypto.getRandomValues(new Uint8Array(length)), (byte) => letters[byte % letters.length]).join("");
}
