// A stock-like desktop client on a real libwebrtc (@roamhq/wrtc: VP8, no H.264), driven by a test through JSON lines on stdin.
// It keeps the order of calls of WebRTC's examples/peerconnection/client/conductor.cc. Commands, each `{"id": N, "do": NAME, …}`
// and answered by `{"reply": N, …}` or `{"reply": N, "error": TEXT}`:
//   sign_in {server: "HOST:PORT", name}       -> {own, members: [{id, name}]}
//   await_member {name}                       -> {member}   once a member of that name is there
//   call {member, camera, tone?}              -> {}         the offer is sent; with a camera of its own, or with a microphone only; the
//                                                           microphone hears a tone of so many hertz, or nothing
//   talk {}                                   -> {connection, direction, packets}   of the own microphone: whether it is asked for, and what was sent
//   frames {seconds} or {changing, within?}   -> {decoded, changing, width, height}  counted over that time, or until so many have come that differ from
//                                                the one before them; once a call has brought its first
//   listen {seconds, tones?}                  -> {hertz, purity, level, gaps, longestGap, seconds, tones (tone.mjs), concealed, lost, codec}   what is heard over
//                                                that time; `concealed` is the share of samples that libwebrtc had to make up, `lost` counts packets
//   lip_sync {seconds}                        -> {offsets, median, least, most}   by how many ms each tone of that time began after its flash
//   codecs {audio: [NAME]}                    -> {}         what later offers say of sound: "opus", "PCMU", "PCMA"
//   offers {replace: [[FROM, TO]], alone?}    -> {}         later offers are sent with these replacements; alone: of a video section and nothing else
//   media {}                                  -> {video: {packetsReceived, packetsLost, framesDecoded, framesDropped, codec}}  so far
//   log {}                                    -> {log: [TEXT]}   what happened, in the names of the stock client's calls
//   hang_up {}                                -> {}         BYE is sent and the call dropped
//   sign_out {}                               -> {}
// It ends when stdin is closed.

import readline from "node:readline";
import wrtc from "@roamhq/wrtc";
import { StockWire } from "./stock-wire.mjs";
import { beeps, pair } from "./lip-sync.mjs";
import { analyse } from "./tone.mjs";

const { RTCPeerConnection, MediaStream, nonstandard } = wrtc;

/** How long it waits for what should come at once, in seconds: the machine may be busy with other work. */
const PATIENCE = 30;
/** By how many ms libwebrtc hands a picture over before it is due: what a screen takes of its own (VideoReceiveStreamInterface::Config::render_delay_ms). */
const FOR_THE_SCREEN = 10;

/** Coloured noise of 320x240 at 15 Hz, and silence or a tone: what a desktop with a camera sends. */
function ownMedia(camera, tone) {
  const timers = [];
  const stop = () => timers.forEach(clearInterval);
  const audio = new nonstandard.RTCAudioSource();
  const samples = new Int16Array(480);
  const start = performance.now();
  let given = 0;
  // As many as are due, however late the timer is: a microphone has a clock of its own.
  timers.push(setInterval(() => {
    for (; given * 10 <= performance.now() - start; given += 1) {
      if (tone) samples.forEach((_, at) => (samples[at] = 12_000 * Math.sin(2 * Math.PI * tone * (given * 480 + at) / 48_000)));
      audio.onData({ samples, sampleRate: 48000, bitsPerSample: 16, channelCount: 1, numberOfFrames: 480 });
    }
  }, 10));
  const tracks = [audio.createTrack()];
  if (camera) {
    const video = new nonstandard.RTCVideoSource();
    const data = new Uint8ClampedArray((320 * 240 * 3) / 2);
    let shade = 0;
    timers.push(setInterval(() => video.onFrame({ width: 320, height: 240, data: data.fill((shade = (shade + 50) & 255)) }), 66));
    tracks.push(video.createTrack());
  }
  return { tracks, stop };
}

/** Counts pictures, and those that differ from the one before them by more than a codec's noise; notes when black becomes white. */
class Screen {
  #came;

  constructor(track) {
    this.decoded = this.changing = this.width = this.height = 0;
    this.flashes = [];
    this.bright = true;
    this.sink = new nonstandard.RTCVideoSink(track);
    this.first = new Promise((resolve) => (this.#came = resolve));
    this.sink.onframe = ({ frame }) => this.#frame(frame);
  }

  #frame({ width, height, data }) {
    this.decoded += 1;
    const bright = data[(height >> 1) * width + (width >> 1)] > 128;
    if (bright && !this.bright) this.flashes.push(performance.now());
    this.bright = bright;
    const step = 4;
    const points = new Uint8Array(Math.floor(width / step) * Math.floor(height / step));
    let next = 0, different = 0;
    for (let y = 0; y + step <= height; y += step) {
      for (let x = 0; x + step <= width; x += step, next += 1) {
        points[next] = data[y * width + x];
        if (this.last && Math.abs(this.last[next] - points[next]) > 32) different += 1;
      }
    }
    if (this.last?.length !== points.length || different >= 8) this.changing += 1;
    Object.assign(this, { last: points, width, height });
    this.#came();
  }
}

/** Keeps what is heard while somebody wants it. */
class Ear {
  constructor(track) {
    this.sink = new nonstandard.RTCAudioSink(track);
    this.sink.ondata = ({ samples, sampleRate, channelCount }) => {
      this.rate = sampleRate;
      // One channel is as good as the other.
      if (this.pieces) {
        const loud = samples.findIndex((sample) => Math.abs(sample) > 3277);
        this.pieces.push({ at: performance.now(), length: samples.length / channelCount, loud: loud < 0 ? null : Math.floor(loud / channelCount) });
      }
      if (this.kept) this.kept.push(channelCount === 1 ? Int16Array.from(samples) : samples.filter((_, at) => at % channelCount === 0));
    };
  }

  async listen(seconds) {
    this.kept = [];
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    const pieces = this.kept;
    this.kept = null;
    const samples = new Float32Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
    let at = 0;
    for (const piece of pieces) for (const sample of piece) samples[at++] = sample / 32768;
    return samples;
  }
}

/** An offer in which these are the only codecs for sound. */
function onlySound(sdp, names) {
  const [head, ...sections] = sdp.split(/(?=^m=)/m);
  return head + sections.map((section) => {
    if (!section.startsWith("m=audio")) return section;
    const known = new Map([...section.matchAll(/^a=rtpmap:(\d+) ([^/]+)/gm)].map(([, number, name]) => [number, name]));
    const keep = (number) => names.some((name) => name.toLowerCase() === known.get(number)?.toLowerCase());
    return section
      .replace(/^(m=audio \S+ \S+) (.*)$/m, (_, start, numbers) => [start, ...numbers.trim().split(" ").filter(keep)].join(" "))
      .split("\r\n")
      .filter((line) => !/^a=(rtpmap|fmtp|rtcp-fb):\d+/.test(line) || keep(line.match(/:(\d+)/)[1]))
      .join("\r\n");
  }).join("");
}

class StockClient {
  call = null;
  sound = null;
  shape = { replace: [], alone: false };
  log = [];
  arrivals = [];
  lookers = [];
  inbox = Promise.resolve(); // messages are handled one after the other

  #note(text) {
    this.log.push(text);
    console.error(`stock-client: ${text}`);
  }

  async sign_in({ server, name }) {
    this.wire = new StockWire(server, {
      peerConnected: (entry) => {
        this.#note(`OnPeerConnected ${entry.name}`);
        this.arrivals = this.arrivals.filter((look) => !look());
      },
      peerDisconnected: (id) => {
        this.#note(`OnPeerDisconnected ${id}`);
        if (id === this.call?.peer) this.#drop();
      },
      message: (from, body) => (this.inbox = this.inbox.then(() => this.#message(from, body))),
      disconnected: (error) => this.#note(`OnDisconnected: ${error.message}`),
    });
    await this.wire.signIn(name);
    this.#note("OnSignedIn");
    return { own: this.wire.id, members: [...this.wire.peers].map(([id, called]) => ({ id, name: called })) };
  }

  await_member({ name }) {
    return new Promise((resolve) => {
      const look = () => {
        const [id] = [...this.wire.peers].find(([, each]) => each === name) ?? [];
        if (id !== undefined) resolve({ member: id });
        return id !== undefined;
      };
      if (!look()) this.arrivals.push(look);
    });
  }

  #prepare(member, camera, tone = null) {
    const { alone } = this.shape;
    // Who insists on a group takes no answer without one.
    const connection = new RTCPeerConnection({ sdpSemantics: "unified-plan", bundlePolicy: alone ? "max-compat" : "max-bundle" });
    const own = alone ? { tracks: [], stop() {} } : ownMedia(camera, tone);
    if (alone) connection.addTransceiver("video", { direction: "recvonly" });
    this.call = { peer: member, connection, own, camera, screen: null, ear: null };
    connection.onicecandidate = ({ candidate }) => {
      if (!candidate?.candidate) return; // there is no end-of-candidates message
      const { sdpMid, sdpMLineIndex } = candidate;
      this.#send(member, { sdpMid, sdpMLineIndex, candidate: candidate.candidate });
    };
    connection.ontrack = ({ track }) => {
      this.#note(`OnAddTrack ${track.kind}`);
      if (track.kind === "video" && this.call) this.#watch(track);
      if (track.kind === "audio" && this.call) this.call.ear = new Ear(track);
    };
    connection.oniceconnectionstatechange = () => this.#note(`ice ${connection.iceConnectionState}`);
    const stream = new MediaStream();
    for (const track of own.tracks) connection.addTrack(track, stream);
    return connection;
  }

  async #start(member, camera, tone) {
    const connection = this.#prepare(member, camera, tone);
    const offer = await connection.createOffer();
    if (this.sound) offer.sdp = onlySound(offer.sdp, this.sound);
    await connection.setLocalDescription(offer);
    const sdp = this.shape.replace.reduce((text, [from, to]) => text.replaceAll(from, to), offer.sdp);
    this.#send(member, { type: offer.type, sdp });
  }

  #watch(track) {
    this.call.screen = new Screen(track);
    for (const look of this.lookers.splice(0)) look(this.call.screen);
  }

  #screen() {
    return this.call?.screen ?? new Promise((resolve) => this.lookers.push(resolve));
  }

  // The stock client writes JSON indented and with a newline at the end.
  #send(to, message) {
    this.wire.send(to, typeof message === "string" ? message : `${JSON.stringify(message, null, 3)}\n`).catch((error) => this.#note(`message failed: ${error.message}`));
  }

  async #message(from, body) {
    if (body === "BYE") {
      this.#note(`BYE from ${from}`);
      if (from === this.call?.peer) this.#drop();
      return;
    }
    if (this.call && from !== this.call.peer) return this.#note(`Received a message from unknown peer while already in a conversation with a different peer (${from})`);
    let message;
    try {
      message = JSON.parse(body);
    } catch {
      return this.#note(`Received unknown message. ${body}`);
    }
    try {
      if (!this.call) this.#prepare(from, false); // the other side calls: answered without asking
      const { connection } = this.call;
      if (message.type) {
        this.#note(`Received session description ${message.type}`);
        await connection.setRemoteDescription(message);
        if (message.type === "offer") {
          const answer = await connection.createAnswer();
          await connection.setLocalDescription(answer);
          this.#send(from, { type: answer.type, sdp: answer.sdp });
        }
      } else if ("sdpMid" in message && "sdpMLineIndex" in message && "candidate" in message) {
        await connection.addIceCandidate(message);
      } else this.#note("Can't parse received message.");
    } catch (error) {
      this.#note(`${message.type ?? "candidate"} refused: ${error.message}`);
    }
  }

  #drop() {
    const { call } = this;
    this.call = null;
    call.own.stop();
    call.screen?.sink.stop();
    call.ear?.sink.stop();
    call.connection.close();
    this.#note("call dropped");
  }

  async frames({ seconds = null, changing = Infinity, within = PATIENCE }) {
    const screen = await this.#screen();
    await screen.first;
    const before = { decoded: screen.decoded, changing: screen.changing };
    const grown = (key) => screen[key] - before[key];
    const end = performance.now() + (seconds ?? within) * 1000;
    while (grown("changing") < changing && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 20));
    const seen = { decoded: grown("decoded"), changing: grown("changing"), width: screen.width, height: screen.height };
    if (changing !== Infinity && seen.changing < changing) throw new Error(`${seconds ?? within} s brought no more than ${JSON.stringify(seen)}`);
    return seen;
  }

  offers({ replace, alone = false }) {
    this.shape = { replace, alone };
    return {};
  }

  codecs({ audio }) {
    this.sound = audio;
    return {};
  }

  async #heard() {
    const report = [...(await this.call.connection.getStats()).values()];
    const audio = report.find(({ type, kind }) => type === "inbound-rtp" && kind === "audio");
    return { ...audio, codec: report.find(({ id }) => id === audio?.codecId)?.mimeType?.split("/")[1] ?? null };
  }

  async listen({ seconds, tones }) {
    if (!this.call?.ear) throw new Error("there is nothing to hear");
    const before = await this.#heard();
    const samples = await this.call.ear.listen(seconds);
    const after = await this.#heard();
    const grown = (key) => (after[key] ?? 0) - (before[key] ?? 0);
    const concealed = grown("totalSamplesReceived") > 0 ? grown("concealedSamples") / grown("totalSamplesReceived") : null;
    return { ...analyse(samples, this.call.ear.rate, tones), concealed, lost: grown("packetsLost"), codec: after.codec };
  }

  async lip_sync({ seconds }) {
    if (!this.call?.ear) throw new Error("there is nothing to hear");
    const { ear, screen } = this.call;
    screen.flashes = [];
    ear.pieces = [];
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    const heard = beeps(ear.pieces, ear.rate);
    ear.pieces = null;
    return pair(screen.flashes.map((flash) => flash + FOR_THE_SCREEN), heard);
  }

  async media() {
    if (!this.call) throw new Error("there is no call");
    const report = [...(await this.call.connection.getStats()).values()];
    const video = report.find(({ type, kind }) => type === "inbound-rtp" && kind === "video");
    if (!video) return { video: null };
    const { packetsReceived, packetsLost, framesDecoded, framesDropped, codecId } = video;
    return { video: { packetsReceived, packetsLost, framesDecoded, framesDropped, codec: report.find(({ id }) => id === codecId)?.mimeType } };
  }

  async talk() {
    if (!this.call) throw new Error("there is no call");
    const { connection } = this.call;
    const own = connection.getTransceivers().find(({ sender }) => sender.track?.kind === "audio");
    const report = [...(await connection.getStats()).values()];
    const sent = report.find(({ type, kind }) => type === "outbound-rtp" && kind === "audio");
    return { connection: connection.iceConnectionState, direction: own?.currentDirection ?? null, packets: sent?.packetsSent ?? 0 };
  }

  async hang_up() {
    const { peer } = this.call;
    this.#drop();
    await this.wire.send(peer, "BYE");
  }

  async sign_out() {
    if (this.call) this.#drop();
    await this.wire.signOut();
  }

  async obey({ do: name, ...words }) {
    switch (name) {
      case "sign_in": return this.sign_in(words);
      case "await_member": return this.await_member(words);
      case "call": return this.#start(words.member, words.camera, words.tone);
      case "frames": return this.frames(words);
      case "media": return this.media();
      case "talk": return this.talk();
      case "lip_sync": return this.lip_sync(words);
      case "listen": return this.listen(words);
      case "codecs": return this.codecs(words);
      case "offers": return this.offers(words);
      case "log": return { log: this.log };
      case "hang_up": return this.hang_up();
      case "sign_out": return this.sign_out();
      default: throw new Error(`no such command: ${name}`);
    }
  }
}

const client = new StockClient();
const lines = readline.createInterface({ input: process.stdin });
lines.on("line", async (line) => {
  const { id, ...command } = JSON.parse(line);
  let answer;
  try {
    answer = { reply: id, ...(await client.obey(command)) };
  } catch (error) {
    answer = { reply: id, error: error.message };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
});
lines.on("close", () => process.exit(0));
