// The signaling half of a stock desktop client: the same bytes, in the same order, read in the same naive way
// (WebRTC's examples/peerconnection/client/peer_connection_client.cc). Its faults are what our server must serve:
//   - HTTP/1.0 without a Host header, the name raw in the request line;
//   - header names matched with exactly this case;
//   - an answer is whole when Content-Length bytes have come; without that header it waits for ever;
//   - any status but 200 means "disconnected";
//   - one /wait open at a time, a new one as soon as the last was answered;
//   - one /message at a time, the next after the last was answered.

import net from "node:net";

/** The value of a header as the stock client finds it: a plain search for "\r\nName: ". */
function headerValue(head, name) {
  const at = head.indexOf(`\r\n${name}: `);
  if (at < 0) return null;
  const from = at + name.length + 4;
  return head.slice(from, head.indexOf("\r\n", from));
}

/** Sends one request on a connection of its own and reads one answer. `hold` receives the socket. */
function exchange({ host, port }, request, hold = () => {}) {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host, port });
    hold(socket);
    let data = Buffer.alloc(0);
    let answered = false;
    const fail = (why) => {
      socket.destroy();
      reject(new Error(`${why}, after ${JSON.stringify(request.toString("latin1").split("\r\n")[0])}`));
    };
    socket.on("connect", () => socket.write(request));
    socket.on("error", (error) => fail(error.message));
    socket.on("close", () => answered || fail("the server closed the connection without an answer"));
    socket.on("data", (chunk) => {
      data = Buffer.concat([data, chunk]);
      const end = data.indexOf("\r\n\r\n");
      if (end < 0) return;
      const head = data.toString("latin1", 0, end + 2);
      const length = headerValue(head, "Content-Length");
      if (length === null || data.length < end + 4 + Number(length)) return;
      answered = true;
      // The stock client closes first; a server that says "Connection: close" and one that leaves it open both live with it.
      socket.end();
      const status = Number(head.split(" ")[1]);
      if (status !== 200) return fail(`the server answered ${head.split("\r\n")[0]}`);
      resolve({ pragma: Number(headerValue(head, "Pragma") ?? NaN), body: data.subarray(end + 4).toString("utf8") });
    });
  });
}

function parseEntry(line) {
  const [name, id, connected] = line.split(",");
  return { name, id: Number(id), connected: connected?.trim() === "1" };
}

export class StockWire {
  /** `on` has the callbacks peerConnected(entry), peerDisconnected(id), message(from, body), disconnected(error). */
  constructor(server, on) {
    const [, host, port] = /^(.*):(\d+)$/.exec(server);
    this.server = { host, port: Number(port) };
    this.on = on;
    this.id = -1;
    this.peers = new Map();
    this.outgoing = Promise.resolve();
  }

  async signIn(name) {
    const { pragma, body } = await exchange(this.server, Buffer.from(`GET /sign_in?${name} HTTP/1.0\r\n\r\n`));
    if (!(pragma > 0)) throw new Error("the sign-in answer has no Pragma that the stock client would find");
    this.id = pragma;
    for (const line of body.split("\n").filter(Boolean)) {
      const entry = parseEntry(line);
      if (entry.id !== this.id && entry.connected) this.peers.set(entry.id, entry.name);
    }
    this.#wait();
  }

  /** Queued behind the messages before it; resolves when the server has answered this one. */
  send(to, body) {
    const bytes = Buffer.from(body);
    const head = `POST /message?peer_id=${this.id}&to=${to} HTTP/1.0\r\nContent-Length: ${bytes.length}\r\nContent-Type: text/plain\r\n\r\n`;
    const sent = this.outgoing.then(() => exchange(this.server, Buffer.concat([Buffer.from(head), bytes])));
    this.outgoing = sent.catch(() => {});
    return sent;
  }

  async signOut() {
    const id = this.id;
    this.id = -1;
    this.hanging?.destroy();
    await exchange(this.server, Buffer.from(`GET /sign_out?peer_id=${id} HTTP/1.0\r\n\r\n`));
  }

  async #wait() {
    while (this.id > 0) {
      try {
        const request = Buffer.from(`GET /wait?peer_id=${this.id} HTTP/1.0\r\n\r\n`);
        const { pragma, body } = await exchange(this.server, request, (socket) => (this.hanging = socket));
        if (pragma === this.id) this.#presence(parseEntry(body));
        else this.on.message(pragma, body);
      } catch (error) {
        if (this.id > 0) this.on.disconnected(error);
        return;
      }
    }
  }

  #presence(entry) {
    if (entry.connected) {
      this.peers.set(entry.id, entry.name);
      this.on.peerConnected(entry);
    } else {
      this.peers.delete(entry.id);
      this.on.peerDisconnected(entry.id);
    }
  }
}
