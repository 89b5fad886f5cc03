// A real Chromium that looks at the viewer page, driven by a test through JSON lines on stdin. Commands, each
// `{"id": N, "do": NAME, …}` and answered by `{"reply": N, …}` or `{"reply": N, "error": TEXT}`; `within` is the patience
// in seconds (30 where it is left out):
//   open {url, codecs?, protocol?, width?, height?, phone?, light?, password?}   -> {status}   loads the page; `codecs` (["VP8"]) narrows every later
//                                           offer; `protocol` replaces that of data channels; `password` is what a person would type when the browser asks (HTTP Basic).
//                                           http://elsewhere.example/ is a stranger's empty page
//   cameras {camera?, within?}           -> {cameras: [{name, id, present}]}   once `camera` is listed as present
//   watch {camera, codecs?}              -> {}       clicks the camera
//   first_frame {camera, codecs?, within?} -> {ms}   clicks the camera; from the click to the first presented frame
//   wait_live {within?}                  -> {ms}     once the page says that the picture is live
//   wait_state {state, trouble?, within?} -> {ms, text, detail}   once #status has that state (and trouble)
//   status {}                            -> {state, trouble, text, detail, server, address, panel: {resolution, …}}
//   frames {seconds} or {distinct, within?} -> {decoded, presented, distinct, fps, longestGap, width, height, codec, lost, calls}
//                                           over that time, or until so many pictures have come that look different; `longestGap` in ms between
//                                           two presented frames, `lost` packets
//   course {seconds}                     -> {times, late, widths, presented, freezes, frozen, kbps, concealed, lost, codec, calls}   of each presented frame of
//                                           that time: when it was shown (ms since the command), by how much later than its time stamp has it (ms, of which
//                                           only differences mean something), and its width; `frozen` in seconds, with `freezes` as Chromium counts them; `concealed` as in `listen`
//   clock {seconds} or {unreadable, within?} -> {samples, unreadable, median, p95, least, most, newest}   ms from the pattern's clock in the picture to the
//                                           screen, over that time, or until so many pictures in a row had no clock; `newest` is the latest time that
//                                           was read, in ms of UNIX
//   listen {seconds, tones?}             -> {hertz, purity, level, gaps, longestGap, seconds, tones (tone.mjs), concealed, lost, codec}   what is heard over
//                                           that time; `concealed` is the share of samples that Chromium had to make up, `lost` counts packets
//   lip_sync {seconds}                   -> {offsets, median, least, most, delay}   by how many ms each tone of that time began after its flash, when
//                                           they are heard and seen; `delay` is the part of it that is Chromium's output
//   media {}                             -> {calls, connection, video, audio, pair}   getStats of the newest call; `calls` made since `open`
//   freezes {}                           -> {count, seconds}   what Chromium itself counts as frozen, of the newest call
//   text {of}                            -> {text}   of the first element that the selector `of` finds
//   hidden {what}                        -> {hidden}  whether nobody sees the first element that the selector finds
//   press {on}                           -> {}       clicks the first element that the selector `on` finds
//   wait_for {selector, hidden?, within?} -> {}       once such an element is seen (or, hidden, is not)
//   hold {on}                            -> {}       presses the pointer on the first element that `on` finds, and keeps it there …
//   let_go {}                            -> {}       … until this
//   key {key, down}                      -> {}       presses a key of the keyboard (down), or lets it go
//   say {texts, times?}                  -> {sent}   sends these texts on the newest control channel, so many times; waits for it to be open
//   heard {}                             -> {messages, state}   what came on it last, parsed; `state` of the channel
//   fetch {url, method?}                 -> {status, text} or {failed}   what a script of the page gets from there, as far as it may read it; with
//                                           a method that has a body this is "x"
//   frame {url}                          -> {shown}  whether the page can show another in a frame
//   screenshot {path}                    -> {}
//   reload {}                            -> {}
//   leave {}                             -> {}       goes to an empty page, as a person who closes the tab
//   look_away {away}                     -> {}       hides the page as another tab before it does, or shows it again
//   resize {width, height}               -> {}       of the window
//   offline {on}                         -> {}       cuts HTTP off (media goes on)
//   kill {}                              -> {}       SIGKILL to Chromium and all its processes
// Unasked: `{"event": "ready", "chromium": PID}`, `{"event": "ended"}` when Chromium has ended. Diagnostics go to stderr.
// PINHOLE_VOICE names a WAV file that this Chromium takes for its microphone, again and again; it is then not processed (no
// noise suppression), so that a tone stays one, and the person has allowed it.
// Chromium shares this program's process group, so a signal to the group meets both; its profile is below TMPDIR, which a
// killed driver cannot tidy up. It ends when stdin is closed.

import readline from "node:readline";
import { Chromium } from "./launch.mjs";
import { beeps, pair } from "./lip-sync.mjs";
import { analyse } from "./tone.mjs";

/** How long it waits for what should come at once, in seconds: the machine may be busy with other work. */
const PATIENCE = 30;

/** A page that allows itself everything. */
const ELSEWHERE = "http://elsewhere.example/";

/** A microphone that is a file. */
const VOICE = process.env.PINHOLE_VOICE
  ? ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", `--use-file-for-fake-audio-capture=${process.env.PINHOLE_VOICE}`]
  : [];

/** Runs in the page before its own scripts: keeps hold of the calls, narrows the codecs, measures. */
function instrument() {
  const calls = [];
  const Native = window.RTCPeerConnection;
  const channels = [];
  const heard = [];
  window.pinholeTest = { calls, codecs: null, protocol: null, channels, heard };
  window.RTCPeerConnection = class extends Native {
    constructor(...configuration) {
      super(...configuration);
      calls.push(this);
    }

    createDataChannel(label, options) {
      // That for what the person sees is no concern of tests of control.
      if (label !== "pinhole-control") return super.createDataChannel(label, options);
      const protocol = window.pinholeTest.protocol ?? options?.protocol;
      const channel = super.createDataChannel(label, { ...options, protocol });
      channels.push(channel);
      channel.addEventListener("message", ({ data }) => {
        const message = JSON.parse(data);
        if (message.type === "part") message.data = message.data.length;
        heard.push(message);
        if (heard.length > 400) heard.shift();
      });
      return channel;
    }

    addTransceiver(kind, options) {
      const transceiver = super.addTransceiver(kind, options);
      const wanted = window.pinholeTest.codecs?.map((codec) => `video/${codec}`.toLowerCase());
      if (kind === "video" && wanted) {
        const all = RTCRtpReceiver.getCapabilities("video").codecs;
        transceiver.setCodecPreferences(all.filter(({ mimeType }) => [...wanted, "video/rtx"].includes(mimeType.toLowerCase())));
      }
      return transceiver;
    }
  };

  const video = () => document.querySelector("video#picture");

  /** Calls `see(now, metadata)` for each presented frame until `seconds` are over, or it has seen enough and says so. */
  const eachFrame = (seconds, see) => new Promise((resolve) => {
    const picture = video();
    let handle;
    const timer = setTimeout(() => {
      picture.cancelVideoFrameCallback(handle);
      resolve();
    }, seconds * 1000);
    const next = (now, metadata) => {
      if (see(now, metadata) !== "enough") {
        handle = picture.requestVideoFrameCallback(next);
        return;
      }
      clearTimeout(timer);
      resolve();
    };
    handle = picture.requestVideoFrameCallback(next);
  });

  const canvas = (width, height) => new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });

  const media = async () => {
    const call = calls.at(-1);
    const facts = { calls: calls.length, connection: call?.connectionState ?? null, video: null, audio: null, pair: null };
    if (!call) return facts;
    const report = await call.getStats();
    for (const entry of report.values()) {
      if (entry.type === "inbound-rtp") facts[entry.kind] = { ...entry, codec: report.get(entry.codecId)?.mimeType?.split("/")[1] ?? null };
      if (entry.type === "transport") facts.pair = report.get(entry.selectedCandidatePairId) ?? null;
    }
    return facts;
  };

  const frames = async (seconds, distinct) => {
    const pen = canvas(64, 36);
    const seen = new Set();
    let presented = 0;
    let last = null;
    let longestGap = 0;
    const before = await media();
    const start = performance.now();
    await eachFrame(seconds, (now) => {
      presented += 1;
      if (last !== null) longestGap = Math.max(longestGap, now - last);
      last = now;
      pen.drawImage(video(), 0, 0, 64, 36);
      let hash = 0x811c9dc5; // FNV-1a over the words of the shrunken picture
      for (const word of new Uint32Array(pen.getImageData(0, 0, 64, 36).data.buffer)) hash = Math.imul(hash ^ word, 0x01000193) >>> 0;
      seen.add(hash);
      return seen.size >= distinct ? "enough" : null;
    });
    const elapsed = (performance.now() - start) / 1000;
    const after = await media();
    // A new call counts from nothing.
    const same = before.calls === after.calls;
    const grown = (key) => (after.video?.[key] ?? 0) - (same ? before.video?.[key] ?? 0 : 0);
    return {
      decoded: grown("framesDecoded"), presented, distinct: seen.size, fps: grown("framesDecoded") / elapsed, longestGap,
      width: video().videoWidth, height: video().videoHeight, codec: after.video?.codec ?? null,
      lost: grown("packetsLost"), calls: after.calls,
    };
  };

  /** Every presented frame of that time. */
  const course = async (seconds) => {
    const [times, late, widths] = [[], [], []];
    const [first, last] = [{}, {}];
    const before = await media();
    const start = performance.now();
    let wraps = 0;
    await eachFrame(seconds, (_, { presentationTime, rtpTimestamp, width, presentedFrames }) => {
      if (last.rtp - rtpTimestamp > 2 ** 31) wraps += 2 ** 32;
      last.rtp = rtpTimestamp;
      first.presented ??= presentedFrames;
      last.presented = presentedFrames;
      times.push(Math.round((presentationTime - start) * 10) / 10);
      late.push(Math.round((presentationTime - (rtpTimestamp + wraps) / 90) * 10) / 10);
      widths.push(width);
    });
    const elapsed = (performance.now() - start) / 1000;
    const after = await media();
    const grown = (kind, key) => (after[kind]?.[key] ?? 0) - (before.calls === after.calls ? before[kind]?.[key] ?? 0 : 0);
    return {
      times, late, widths, presented: times.length > 0 ? last.presented - first.presented + 1 : 0,
      freezes: grown("video", "freezeCount"), frozen: grown("video", "totalFreezesDuration"), kbps: (grown("video", "bytesReceived") * 8) / 1000 / elapsed,
      concealed: grown("audio", "totalSamplesReceived") > 0 ? grown("audio", "concealedSamples") / grown("audio", "totalSamplesReceived") : null,
      lost: grown("video", "packetsLost"), codec: after.video?.codec ?? null, calls: after.calls,
    };
  };

  // The pattern's clock: 32x2 blocks of black and white at the top left, row by row, most significant bit first: 48
  // bits of UNIX time in 0.1 ms, 16 bits of CRC-16/CCITT-FALSE over them.
  const readClock = (pen, picture) => {
    const block = Math.floor(picture.videoWidth / 32) & ~1;
    pen.drawImage(picture, 0, 0, 32 * block, 2 * block, 0, 0, 128, 8); // 4x4 points a block
    const { data } = pen.getImageData(0, 0, 128, 8);
    const white = (column, row) => {
      let sum = 0;
      for (const [x, y] of [[1, 1], [2, 1], [1, 2], [2, 2]]) {
        const at = ((row * 4 + y) * 128 + column * 4 + x) * 4;
        sum += 0.299 * data[at] + 0.587 * data[at + 1] + 0.114 * data[at + 2];
      }
      return sum / 4 > 128;
    };
    const bytes = new Array(8).fill(0);
    for (let bit = 0; bit < 64; bit += 1) bytes[bit >> 3] |= white(bit % 32, bit >> 5) << (7 - (bit & 7));
    let crc = 0xffff;
    for (const byte of bytes.slice(0, 6)) {
      crc ^= byte << 8;
      for (let step = 0; step < 8; step += 1) crc = (crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1) & 0xffff;
    }
    if (crc !== ((bytes[6] << 8) | bytes[7])) return null;
    return bytes.slice(0, 6).reduce((time, byte) => time * 256 + byte, 0) / 10;
  };

  /** The wall clock (UNIX, ms) at performance.now() = 0, finer than Date's whole milliseconds: the greatest difference seen is the truest. */
  const wallClockOrigin = () => {
    let origin = -Infinity;
    for (const end = performance.now() + 20; performance.now() < end;) origin = Math.max(origin, Date.now() - performance.now());
    return origin;
  };

  // A frame's latency ends when Chromium expects it to be visible (metadata.expectedDisplayTime), not when the callback runs.
  const clock = async (seconds, limit) => {
    const pen = canvas(128, 8);
    const origin = wallClockOrigin();
    const latencies = [];
    let unreadable = 0;
    let inARow = 0;
    let newest = null;
    await eachFrame(seconds, (_, metadata) => {
      const time = readClock(pen, video());
      if (time === null) {
        unreadable += 1;
        inARow += 1;
      } else {
        inARow = 0;
        latencies.push(origin + metadata.expectedDisplayTime - time);
        newest = Math.max(newest ?? 0, time);
      }
      return inARow >= limit ? "enough" : null;
    });
    latencies.sort((one, other) => one - other);
    const at = (share) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? null;
    return { samples: latencies.length, unreadable, inARow, median: at(0.5), p95: at(0.95), least: at(0), most: at(1), newest };
  };

  let ear = null;
  /**
   * What is heard in `seconds`, as 16-bit samples in base64, by the browser's recorder: that takes the sound on a thread of its own.
   * An audio graph in script loses some where the page is busy, and a worklet needs HTTPS.
   */
  const listen = async (seconds) => {
    ear ??= new AudioContext({ sampleRate: 48000 });
    const tracks = video().srcObject.getAudioTracks();
    const recorder = new MediaRecorder(new MediaStream(tracks), { mimeType: "audio/webm;codecs=pcm" });
    const pieces = [];
    recorder.ondataavailable = ({ data }) => pieces.push(data);
    const before = (await media()).audio;
    recorder.start();
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    const stopped = new Promise((resolve) => recorder.addEventListener("stop", resolve, { once: true }));
    recorder.stop();
    await stopped;
    const after = (await media()).audio;
    const sound = await ear.decodeAudioData(await new Blob(pieces).arrayBuffer());
    const samples = Int16Array.from(sound.getChannelData(0), (sample) => sample * 32767);
    const bytes = new Uint8Array(samples.buffer);
    let text = "";
    for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
    const grown = (key) => (after?.[key] ?? 0) - (before?.[key] ?? 0);
    const concealed = grown("totalSamplesReceived") > 0 ? grown("concealedSamples") / grown("totalSamplesReceived") : null;
    return { samples: btoa(text), rate: sound.sampleRate, concealed, lost: grown("packetsLost"), codec: after?.codec ?? null };
  };

  /** What was played so far, and how long it took from leaving the jitter buffer to being heard, in seconds of samples. */
  const played = async () => [...(await calls.at(-1).getStats()).values()].find(({ type }) => type === "media-playout");

  /**
   * What came in `seconds`: `pieces` of sound (lip-sync.mjs) as they left the jitter buffer, at `rate`; by how much later they are heard (`delay`,
   * ms: what Chromium tells the jitter buffer of its output, and that allows for); and when a white picture after a black one was to be
   * seen (`flashes`).
   */
  const watchAndListen = async (seconds) => {
    const reader = new MediaStreamTrackProcessor({ track: video().srcObject.getAudioTracks()[0] }).readable.getReader();
    const pieces = [];
    let rate = null;
    const listening = (async () => {
      for (;;) {
        const { value: piece, done } = await reader.read();
        if (done) return;
        const samples = new Float32Array(piece.numberOfFrames);
        piece.copyTo(samples, { planeIndex: 0, format: "f32-planar" });
        const loud = samples.findIndex((sample) => Math.abs(sample) > 0.1);
        pieces.push({ at: performance.now(), length: samples.length, loud: loud < 0 ? null : loud });
        rate = piece.sampleRate;
        piece.close();
      }
    })();
    const before = await played();
    const pen = canvas(4, 4);
    const flashes = [];
    let bright = true;
    await eachFrame(seconds, (_, metadata) => {
      pen.drawImage(video(), 0, 0, 4, 4);
      const flashing = pen.getImageData(1, 1, 1, 1).data[1] > 128;
      if (flashing && !bright) flashes.push(metadata.expectedDisplayTime);
      bright = flashing;
    });
    const after = await played();
    await reader.cancel();
    await listening;
    const grown = (key) => after[key] - before[key];
    return { pieces, rate, flashes, delay: (grown("totalPlayoutDelay") / grown("totalSamplesCount")) * 1000 };
  };

  const button = (camera) => [...document.querySelectorAll("[data-camera]")].find(({ dataset }) => dataset.camera === camera);

  const firstFrame = (camera, within) => new Promise((resolve, reject) => {
    const start = performance.now();
    const timer = setTimeout(() => reject(new Error(`no frame within ${within} s`)), within * 1000);
    button(camera).click();
    video().requestVideoFrameCallback((_, metadata) => {
      clearTimeout(timer);
      resolve(metadata.expectedDisplayTime - start);
    });
  });

  Object.assign(window.pinholeTest, { media, listen, watchAndListen, frames, course, clock, button, firstFrame });
}

/** Runs in the page before its own scripts: a tone is no voice, and noise suppression would take it for noise. */
function unprocessed() {
  const { mediaDevices } = navigator;
  if (!mediaDevices) return;
  const native = mediaDevices.getUserMedia.bind(mediaDevices);
  mediaDevices.getUserMedia = () => native({ audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false } });
}

/** In the page: what it says. */
function readStatus() {
  const status = document.getElementById("status");
  const panel = {};
  for (const { dataset, textContent } of document.querySelectorAll("#panel [data-stat]")) panel[dataset.stat] = textContent;
  const { state, trouble } = status.dataset;
  return {
    state, trouble, text: status.textContent, detail: document.getElementById("detail").textContent,
    server: document.getElementById("server").dataset.state, address: location.href, panel,
  };
}

class Viewer {
  #chromium = new Chromium();
  #context = null;
  #page = null;

  async start() {
    await this.#chromium.start(VOICE, (code, signal) => say({ event: "ended", code, signal }));
    say({ event: "ready", chromium: this.#chromium.pid });
  }

  async open({ url, codecs = null, protocol = null, width = 1280, height = 800, phone = false, light = false, password = null }) {
    await this.#context?.close();
    this.#context = await this.#chromium.browser.newContext({
      viewport: { width, height }, colorScheme: light ? "light" : "dark",
      ...(password === null ? {} : { httpCredentials: { username: "anybody", password } }),
      ...(phone ? { isMobile: true, hasTouch: true, deviceScaleFactor: 2 } : {}),
    });
    await this.#context.addInitScript(instrument);
    if (VOICE.length > 0) await this.#context.addInitScript(unprocessed);
    if (codecs) await this.#context.addInitScript((names) => { window.pinholeTest.codecs = names; }, codecs);
    if (protocol !== null) await this.#context.addInitScript((name) => { window.pinholeTest.protocol = name; }, protocol);
    if (url === ELSEWHERE) await this.#context.route(url, (route) => route.fulfill({ contentType: "text/html", body: "<!doctype html>" }));
    this.#page = await this.#context.newPage();
    this.#page.on("console", (message) => console.error(`page ${message.type()}:`, message.text()));
    this.#page.on("pageerror", (error) => console.error("page error:", error.stack ?? error.message));
    // A guest that is just plugged in changes the network, and Chromium gives up what it loads at that moment.
    let torn = false;
    this.#page.on("requestfailed", (request) => { torn ||= request.failure()?.errorText === "net::ERR_NETWORK_CHANGED"; });
    try {
      let answer = await this.#page.goto(url, { waitUntil: "load" });
      while (torn) {
        torn = false;
        answer = await this.#page.reload({ waitUntil: "load" });
      }
      return { status: answer?.status() ?? null };
    } catch (error) {
      // What comes of a 401 where nobody answers the browser's question: its own page, which tells nothing.
      if (!error.message.includes("ERR_INVALID_AUTH_CREDENTIALS")) throw error;
      return { status: 401 };
    }
  }

  async cameras({ camera = null, within = PATIENCE }) {
    const listed = (name) => name === null || window.pinholeTest.button(name)?.dataset.present === "true";
    await this.#until(listed, camera, within, `${camera} is not listed`);
    const cameras = await this.#page.evaluate(() => [...document.querySelectorAll("[data-camera]")].map(({ dataset }) => (
      { name: dataset.camera, id: Number(dataset.id), present: dataset.present === "true" })));
    return { cameras };
  }

  async watch({ camera, codecs }) {
    await this.#choose(camera, codecs);
    await this.#page.evaluate((name) => window.pinholeTest.button(name).click(), camera);
    return {};
  }

  async first_frame({ camera, codecs, within = PATIENCE }) {
    await this.#choose(camera, codecs);
    return { ms: await this.#page.evaluate(([name, seconds]) => window.pinholeTest.firstFrame(name, seconds), [camera, within]) };
  }

  async wait_state({ state, trouble = null, within = PATIENCE }) {
    const start = performance.now();
    const reached = ([wanted, why]) => {
      const { dataset } = document.getElementById("status");
      return dataset.state === wanted && (why === null || dataset.trouble === why);
    };
    await this.#until(reached, [state, trouble], within, `the page is not ${[state, trouble].filter(Boolean).join(" ")}`);
    const { text, detail } = await this.status();
    return { ms: performance.now() - start, text, detail };
  }

  async wait_live({ within }) {
    const { ms } = await this.wait_state({ state: "live", within });
    return { ms };
  }

  status() {
    return this.#page.evaluate(readStatus);
  }

  async frames({ seconds = null, distinct = null, within = PATIENCE }) {
    const look = ([time, enough]) => window.pinholeTest.frames(time, enough ?? Infinity);
    const seen = await this.#page.evaluate(look, [seconds ?? within, distinct]);
    if (distinct !== null && seen.distinct < distinct) throw new Error(`${seconds ?? within} s brought no more than ${JSON.stringify(seen)}`);
    return seen;
  }

  course({ seconds }) {
    return this.#page.evaluate((time) => window.pinholeTest.course(time), seconds);
  }

  async clock({ seconds = null, unreadable = null, within = PATIENCE }) {
    const look = ([time, limit]) => window.pinholeTest.clock(time, limit ?? Infinity);
    const { inARow, ...read } = await this.#page.evaluate(look, [seconds ?? within, unreadable]);
    if (unreadable !== null && inARow < unreadable) throw new Error(`${seconds ?? within} s brought no picture without a clock: ${JSON.stringify(read)}`);
    return read;
  }

  async listen({ seconds, tones }) {
    const hears = () => (document.querySelector("video#picture").srcObject?.getAudioTracks().length ?? 0) > 0;
    await this.#until(hears, null, PATIENCE, "there is nothing to hear");
    const { samples, rate, ...rest } = await this.#page.evaluate((time) => window.pinholeTest.listen(time), seconds);
    const bytes = Buffer.from(samples, "base64");
    const heard = new Int16Array(bytes.buffer, bytes.byteOffset, bytes.length >> 1);
    return { ...analyse(Float32Array.from(heard, (sample) => sample / 32768), rate, tones), ...rest };
  }

  async lip_sync({ seconds }) {
    const { pieces, rate, flashes, delay } = await this.#page.evaluate((time) => window.pinholeTest.watchAndListen(time), seconds);
    const heard = beeps(pieces, rate).map((beep) => beep + delay);
    return { ...pair(flashes, heard), delay };
  }

  media() {
    return this.#page.evaluate(() => window.pinholeTest.media());
  }

  async freezes() {
    const { video } = await this.media();
    return { count: video?.freezeCount ?? null, seconds: video?.totalFreezesDuration ?? null };
  }

  async text({ of }) {
    return { text: await this.#page.locator(of).first().textContent({ timeout: PATIENCE * 1000 }) };
  }

  async hidden({ what }) {
    return { hidden: await this.#page.locator(what).first().isHidden() };
  }

  async press({ on }) {
    await this.#page.locator(on).first().click({ timeout: PATIENCE * 1000 });
    return {};
  }

  async wait_for({ selector, hidden = false, within = PATIENCE }) {
    await this.#page.locator(selector).first().waitFor({ state: hidden ? "hidden" : "visible", timeout: within * 1000 });
    return {};
  }

  async hold({ on }) {
    await this.#page.locator(on).first().hover({ timeout: PATIENCE * 1000 });
    await this.#page.mouse.down();
    return {};
  }

  async let_go() {
    await this.#page.mouse.up();
    return {};
  }

  async key({ key, down }) {
    if (down) await this.#page.keyboard.down(key);
    else await this.#page.keyboard.up(key);
    return {};
  }

  async say({ texts, times = 1 }) {
    await this.#page.waitForFunction(() => window.pinholeTest.channels.at(-1)?.readyState === "open", null, { polling: 20, timeout: PATIENCE * 1000 });
    return this.#page.evaluate(([all, count]) => {
      const channel = window.pinholeTest.channels.at(-1);
      for (let round = 0; round < count; round += 1) for (const text of all) channel.send(text);
      return { sent: all.length * count };
    }, [texts, times]);
  }

  heard() {
    return this.#page.evaluate(() => (
      { messages: window.pinholeTest.heard, state: window.pinholeTest.channels.at(-1)?.readyState ?? null }));
  }

  fetch({ url, method = "GET" }) {
    return this.#page.evaluate(async ([address, how]) => {
      try {
        const answer = await fetch(address, { method: how, ...(how === "GET" ? {} : { body: "x" }) });
        return { status: answer.status, text: await answer.text() };
      } catch (error) {
        return { failed: error.message };
      }
    }, [url, method]);
  }

  async frame({ url }) {
    await this.#page.evaluate((address) => new Promise((resolve) => {
      const frame = document.createElement("iframe");
      frame.addEventListener("load", resolve);
      frame.src = address;
      document.body.append(frame);
    }), url);
    // In place of one that may not be shown stands a page of Chromium's own.
    return { shown: this.#page.frames().some((frame) => frame.url().startsWith(url)) };
  }

  async screenshot({ path }) {
    await this.#page.screenshot({ path });
    return {};
  }

  /** Another tab is before this one, or none: headless pages are never hidden. */
  async look_away({ away }) {
    await this.#page.evaluate((hidden) => {
      Object.defineProperty(document, "hidden", { get: () => hidden, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }, away);
    return {};
  }

  async resize({ width, height }) {
    await this.#page.setViewportSize({ width, height });
    return {};
  }

  async reload() {
    await this.#page.reload({ waitUntil: "load" });
    return {};
  }

  async leave() {
    await this.#page.goto("about:blank");
    return {};
  }

  async offline({ on }) {
    await this.#context.setOffline(on);
    return {};
  }

  async kill() {
    await this.#chromium.kill();
    return {};
  }

  async close() {
    await this.#chromium.close();
  }

  async #choose(camera, codecs) {
    if (codecs) await this.#page.evaluate((names) => { window.pinholeTest.codecs = names; }, codecs);
    await this.cameras({ camera });
  }

  async #until(condition, argument, within, complaint) {
    try {
      await this.#page.waitForFunction(condition, argument, { polling: 20, timeout: within * 1000 });
    } catch (error) {
      if (error.name !== "TimeoutError") throw error;
      throw new Error(`after ${within} s ${complaint}; it says: ${JSON.stringify(await this.status())}`);
    }
  }
}

function say(words) {
  process.stdout.write(`${JSON.stringify(words)}\n`);
}

const COMMANDS = ["open", "cameras", "watch", "first_frame", "wait_live", "wait_state", "status", "frames", "course", "clock", "media", "listen", "lip_sync", "hidden",
  "freezes", "text", "press", "wait_for", "hold", "let_go", "key", "say", "heard", "fetch", "frame", "screenshot", "look_away", "resize", "reload", "leave", "offline", "kill"];

const viewer = new Viewer();
const started = viewer.start();
started.catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});

// Commands run side by side, so that a test can count frames while it restarts something.
readline.createInterface({ input: process.stdin })
  .on("line", async (line) => {
    const { id, do: name, ...words } = JSON.parse(line);
    try {
      await started;
      if (!COMMANDS.includes(name)) throw new Error(`no such command: ${name}`);
      say({ reply: id, ...(await viewer[name](words)) });
    } catch (error) {
      say({ reply: id, error: error.message });
    }
  })
  .on("close", async () => {
    await viewer.close();
    process.exit();
  });
