// The control channel of a call (docs/control.md): JSON messages to and from the camera's node.
//
// Whoever holds a button or has a servo turn has to say something more often than every half second, or the node lets go by
// itself. That is done here, for as long as somebody holds.

export const LABEL = "pinhole-control";
/** The channel's protocol: what tells this page from other programs. */
export const PROTOCOL = "page";

const BEAT = 150; // ms; the node's patience is 500
const LARGEST = 4 * 1024 * 1024; // bytes of a picture; the node's bound is lower

/**
 * Events: `hello`, `state`, `event`, `message`, `error` (`detail` is the message), `picture` (`detail` is a Blob), `closed`.
 */
export class Channel extends EventTarget {
  #channel;
  #beat = null;
  #holders = new Set();
  #picture = null; // {size, parts, data, taken (bytes of data)}

  /** `channel` is an RTCDataChannel, open or about to be. */
  constructor(channel) {
    super();
    this.#channel = channel;
    channel.onmessage = ({ data }) => this.#receive(data);
    channel.onclose = () => this.#closed();
  }

  /** Sends a message; false where the channel is not open. */
  send(message) {
    if (this.#channel.readyState !== "open") return false;
    this.#channel.send(JSON.stringify(message));
    return true;
  }

  /** `what` (anything) is held from now on, so that heartbeats are sent. */
  hold(what) {
    this.#holders.add(what);
    this.#beat ??= setInterval(() => this.send({ type: "beat" }), BEAT);
  }

  letGo(what) {
    this.#holders.delete(what);
    if (this.#holders.size === 0) this.#rest();
  }

  /** Nobody listens any more. */
  forget() {
    this.#rest();
    this.#holders.clear();
    this.#channel.onmessage = null;
    this.#channel.onclose = null;
  }

  #rest() {
    clearInterval(this.#beat);
    this.#beat = null;
  }

  #closed() {
    this.#rest();
    this.dispatchEvent(new Event("closed"));
  }

  #receive(text) {
    const message = parse(text);
    if (message === null) {
      console.warn("the camera sent a control message that is no JSON object");
      return;
    }
    if (isPrivate(message)) this.#picture = null; // the rest of it does not come
    if (message.type === "snapshot") this.#begin(message);
    else if (message.type === "part") this.#add(message);
    else if (["hello", "state", "event", "message", "error"].includes(message.type)) {
      this.dispatchEvent(new CustomEvent(message.type, { detail: message }));
    }
  }

  #begin({ size, parts }) {
    this.#picture = size > 0 && size <= LARGEST ? { size, parts, data: [], taken: 0 } : null;
  }

  #add({ data }) {
    const picture = this.#picture;
    if (!picture) return;
    const bytes = decode(data);
    picture.taken += bytes?.length ?? 0;
    if (bytes === null || picture.taken > picture.size) {
      console.warn("the camera sent a picture that is not what it had announced");
      this.#picture = null;
      return;
    }
    picture.data.push(bytes);
    if (picture.data.length < picture.parts) return;
    this.#picture = null;
    this.dispatchEvent(new CustomEvent("picture", { detail: new Blob(picture.data, { type: "image/jpeg" }) }));
  }
}

/** The object that the text describes, or null. */
function parse(text) {
  try {
    const message = JSON.parse(text);
    return typeof message === "object" ? message : null;
  } catch {
    return null;
  }
}

/** The bytes of a part in base64, or null. */
function decode(data) {
  try {
    return Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  } catch {
    return null;
  }
}

/** Whether the message says, in one of the ways, that the camera is private. */
function isPrivate({ privacy, what, on, code }) {
  return privacy === true || (what === "privacy" && on) || code === "privacy";
}
