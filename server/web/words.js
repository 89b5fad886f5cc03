// What the page says: every state and trouble in plain words. Pure; view.js puts it on the screen.

/**
 * `chip` stands beside the camera's name, `title` and `detail` on the stage. `busy` shows that something is under way;
 * `retry` and `play` offer a button.
 */
export function describe(name, state, trouble) {
  if (state === "live") return { chip: "Live", title: "", detail: "" };
  if (state === "connecting") return { chip: "Connecting…", title: `Connecting to ${name}…`, detail: "", busy: true };
  const words = TROUBLES[trouble?.code] ?? TROUBLES.failed;
  return words(name, trouble?.reason);
}

const TROUBLES = {
  server: () => ({
    chip: "Server unreachable",
    title: "Server unreachable",
    detail: "The picture comes by itself as soon as the server answers again.",
    busy: true,
    retry: true,
  }),
  away: (name) => ({
    chip: "Away",
    title: `${name} is away`,
    detail: "It is not signed in to this server. The picture starts by itself when it is back.",
    busy: true,
  }),
  still: (name) => ({
    chip: "Picture stopped",
    title: "Picture stopped",
    detail: `Nothing has come from ${name} for a few seconds. Watching for it to go on.`,
    busy: true,
  }),
  "no-signal": (name, reason) => ({
    chip: "No signal",
    title: `${name} has no picture`,
    detail: `${sentence(reason, "Its camera is missing or does not work")} The picture comes by itself when there is one.`,
    busy: true,
  }),
  private: (name) => ({
    chip: "Private",
    title: `${name} is private`,
    detail: "Somebody there has switched picture and sound off. They come by themselves when they are on again.",
  }),
  stopped: (name) => ({
    chip: "Camera stopped",
    title: `${name} was stopped`,
    detail: "Its node ends, or starts anew. The picture comes by itself when it is back.",
    busy: true,
    retry: true,
  }),
  removed: (name) => ({
    chip: "Camera removed",
    title: `${name} was removed`,
    detail: "Its node has this camera no more.",
    retry: true,
  }),
  "hung-up": (name, reason) => ({
    chip: "Call ended",
    title: `${name} ended the call`,
    detail: `${reason?.trim() ? `${sentence(reason)} ` : ""}Calling again in a moment.`,
    busy: true,
    retry: true,
  }),
  lost: (name) => ({
    chip: "Connection lost",
    title: `Connection to ${name} lost`,
    detail: "Calling again.",
    busy: true,
    retry: true,
  }),
  "no-answer": (name) => ({
    chip: "No answer in 8 s",
    title: `No answer from ${name} in 8 s`,
    detail: "It is signed in but did not answer the call. Trying again.",
    busy: true,
    retry: true,
  }),
  "no-path": (name, reason) => ({
    chip: "No network path",
    title: `No network path to ${name}`,
    detail: `It answered, but no connection to this browser came about (ICE failed). ${reason?.trim() ? `The camera says: ${sentence(reason)} ` : ""}A firewall, a VPN or separate networks may be between the two. Trying again.`,
    busy: true,
    retry: true,
  }),
  "no-picture": (name) => ({
    chip: "No picture",
    title: `No picture from ${name}`,
    detail: "The connection stands, but no frame has come. The camera may be in use or broken: its log says more. Trying again.",
    busy: true,
    retry: true,
  }),
  "no-codec": (name) => ({
    chip: "No common codec",
    title: "No common codec",
    detail: `${name} has no video format that this browser can decode.`,
    retry: true,
  }),
  busy: (name, reason) => ({
    chip: "Busy",
    title: `${name} is busy`,
    detail: `${sentence(reason, "It has all the viewers it can serve")} Trying again until a place is free.`,
    busy: true,
    retry: true,
  }),
  refused: (name, reason) => ({
    chip: "Call refused",
    title: `${name} refused the call`,
    detail: `${sentence(reason, "It gave no reason")} Trying again from time to time.`,
    busy: true,
    retry: true,
  }),
  autoplay: (name) => ({
    chip: "Autoplay blocked",
    title: "Autoplay blocked",
    detail: `This browser wants a tap before it shows ${name}.`,
    play: true,
  }),
  failed: (name, reason) => ({
    chip: "Call failed",
    title: `The call to ${name} failed`,
    detail: `${sentence(reason, "It gave no reason")} Trying again.`,
    busy: true,
    retry: true,
  }),
};

/** What another program says, as a sentence between ours. */
function sentence(reason, otherwise) {
  const text = reason?.trim() || otherwise;
  return text[0].toUpperCase() + text.slice(1).replace(/[.!]?$/, ".");
}

/** A camera control's name, as `white_balance_automatic`, for people. */
export function describeControl(name) {
  const text = name.replaceAll("_", " ");
  return text[0].toUpperCase() + text.slice(1);
}

/** What happened at the camera's node; null for what needs no words. */
export function describeEvent({ what, name, on, reason }) {
  switch (what) {
    case "input":
      return `${name}: ${on ? "on" : "off"}`;
    case "privacy":
      return on ? "Privacy: picture and sound are off" : "Privacy ended";
    case "fault":
      return reason || "A part works again";
    case "said":
      return "You:";
    case "saved":
      return `Saved ${name}`;
    default:
      return null;
  }
}

/** What keeps a live call from showing anything, by what the camera tells of itself; null where nothing does. */
export function slateOf({ privacy, picture_fault: reason }) {
  if (privacy) return { code: "private", reason: null };
  return reason ? { code: "no-signal", reason: String(reason).slice(0, 300) } : null;
}

/** The parts that don't work, a sentence each. */
export function describeFaults({ outputs = [], servos = [], inputs = [] }) {
  return [...outputs, ...servos, ...inputs].filter(({ fault }) => fault).map(({ fault }) => sentence(String(fault).slice(0, 300)));
}

/** The button for talking, and what stands above it; `broken` is why the camera's loudspeaker does not play. */
export function describeTalk(state, latched, trouble, broken = null) {
  if (broken && state !== "asking" && state !== "refused") {
    const label = state === "talking" ? (latched ? "Stop talking" : "Talking…") : "Hold to talk, tap to keep on (T)";
    return { label, note: `You are not heard: the camera's loudspeaker does not work. ${sentence(broken)}` };
  }
  switch (state) {
    case "talking":
      return { label: latched ? "Stop talking" : "Talking…", note: "" };
    case "asking":
      return { label: "Talk", note: "The browser asks for your microphone. Allow it, then hold the button while you talk." };
    case "refused":
      return { label: "Talk", note: (MICROPHONE_TROUBLES[trouble.name] ?? MICROPHONE_TROUBLES.other)(trouble.message) };
    default:
      return { label: "Hold to talk, tap to keep on (T)", note: "" };
  }
}

const MICROPHONE_TROUBLES = {
  InsecureError: () =>
    "The browser gives a microphone to pages over HTTPS only. Open this page by https:// (a reverse proxy in front of the server can do that), or by http://localhost on the server itself.",
  NotAllowedError: () => "The browser does not let this page have the microphone. Allow it beside the address, then press again.",
  NotFoundError: () => "This computer has no microphone.",
  NotReadableError: () => "The microphone does not work, or another program has it.",
  other: (message) => `The microphone could not be opened: ${sentence(message, "the browser gave no reason")}`,
};

/** The server chip. */
export function describeServer(state, error) {
  if (state === "online") return "Server connected";
  if (state === "connecting") return "Connecting…";
  return error?.kind === "gone" ? "Signing in again…" : "Server unreachable";
}

/** A digest of stats.js as texts, keyed like the panel's data-stat. */
export function describeStats(stats, offersSound, hasSound) {
  const number = (value, digits, unit) => (value === null ? "–" : `${value.toFixed(digits)}\u202f${unit}`);
  return {
    resolution: stats.width ? `${stats.width} × ${stats.height}` : "–",
    fps: number(stats.fps, stats.fps < 10 ? 1 : 0, "fps"),
    bitrate: stats.bitrate >= 1e6 ? number(stats.bitrate / 1e6, 2, "Mbit/s") : number(stats.bitrate && stats.bitrate / 1e3, 0, "kbit/s"),
    loss: stats.loss === null ? "–" : `${(stats.loss * 100).toFixed(stats.loss > 0 && stats.loss < 0.1 ? 1 : 0)}\u202f%`,
    rtt: number(stats.roundTrip, stats.roundTrip < 10 ? 1 : 0, "ms"),
    buffer: number(stats.buffer, 0, "ms"),
    latency: number(stats.latency, 0, "ms"),
    dropped: stats.dropped === null ? "–" : String(stats.dropped),
    codec: stats.codec ?? "–",
    sound: hasSound ? (stats.soundCodec ?? "silent") : offersSound ? "off" : "none",
    path: stats.path ?? "–",
  };
}
