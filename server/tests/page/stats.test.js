import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Clock } from "./clock.js";
import { StatsDigest } from "../../web/stats.js";

const VIDEO = { type: "inbound-rtp", kind: "video" };
const AUDIO = { type: "inbound-rtp", kind: "audio" };

/** Digests of reports, each of which comes `step` ms after the one before. */
async function digests(context, reports, step = 1_000) {
  const clock = new Clock(context);
  let report;
  const digest = new StatsDigest({ getStats: () => Promise.resolve(report) });
  const all = [];
  for (const entries of reports) {
    report = new Map(Object.entries(entries));
    all.push(await digest.take());
    await clock.pass(step);
  }
  return all;
}

const last = async (...words) => (await digests(...words)).at(-1);

describe("rates", () => {
  test("are not known from one report", async (t) => {
    const first = await last(t, [{ v: { ...VIDEO, framesDecoded: 10, bytesReceived: 1_000, packetsReceived: 4 } }]);
    assert.equal(first.fps, null);
    assert.equal(first.bitrate, null);
    assert.equal(first.loss, null);
    assert.equal(first.framesDecoded, 10);
    assert.equal(first.packets, 4);
  });

  test("are what came in the time between", async (t) => {
    const { fps, bitrate } = await last(t, [
      { v: { ...VIDEO, framesDecoded: 10, bytesReceived: 1_000 }, a: { ...AUDIO, bytesReceived: 500 } },
      { v: { ...VIDEO, framesDecoded: 40, bytesReceived: 101_000 }, a: { ...AUDIO, bytesReceived: 1_500 } },
    ]);
    assert.equal(fps, 30);
    assert.equal(bitrate, 808_000);
  });

  test("forget what was more than 4 s ago", async (t) => {
    const frames = [0, 30, 60, 90, 120, 120, 120, 120, 120];
    const all = await digests(t, frames.map((framesDecoded) => ({ v: { ...VIDEO, framesDecoded } })));
    assert.deepEqual(all.slice(4).map(({ fps }) => fps), [30, 22.5, 15, 7.5, 0]);
  });

  test("of reports that follow each other at once are not known", async (t) => {
    const { fps } = await last(t, [{ v: { ...VIDEO, framesDecoded: 0 } }, { v: { ...VIDEO, framesDecoded: 3 } }], 100);
    assert.equal(fps, null);
  });

  test("are never negative, where a browser begins to count anew", async (t) => {
    const { fps, bitrate } = await last(t, [
      { v: { ...VIDEO, framesDecoded: 100, bytesReceived: 9_000 } }, { v: { ...VIDEO, framesDecoded: 1, bytesReceived: 10 } },
    ]);
    assert.equal(fps, 0);
    assert.equal(bitrate, 0);
  });
});

describe("shares", () => {
  test("loss is of the packets that should have come", async (t) => {
    const { loss } = await last(t, [
      { v: { ...VIDEO, packetsReceived: 100, packetsLost: 50 } }, { v: { ...VIDEO, packetsReceived: 190, packetsLost: 60 } },
    ]);
    assert.equal(loss, 0.1);
  });

  test("packets that come late after all are no negative loss", async (t) => {
    const { loss } = await last(t, [
      { v: { ...VIDEO, packetsReceived: 100, packetsLost: 5 } }, { v: { ...VIDEO, packetsReceived: 200, packetsLost: 3 } },
    ]);
    assert.equal(loss, 0);
  });

  test("buffer and decoder are ms per frame", async (t) => {
    const { buffer, decode } = await last(t, [
      { v: { ...VIDEO, jitterBufferDelay: 1, jitterBufferEmittedCount: 10, totalDecodeTime: 1, framesDecoded: 10 } },
      { v: { ...VIDEO, jitterBufferDelay: 2, jitterBufferEmittedCount: 30, totalDecodeTime: 1.5, framesDecoded: 60 } },
    ]);
    assert.equal(buffer, 50);
    assert.equal(decode, 10);
  });

  test("of nothing are not known", async (t) => {
    const { loss, buffer, decode } = await last(t, [{ v: VIDEO }, { v: VIDEO }]);
    assert.deepEqual([loss, buffer, decode], [null, null, null]);
  });
});

describe("packets", () => {
  test("of sound count among all, and not among the picture's", async (t) => {
    const { packets, videoPackets } = await last(t, [{ v: { ...VIDEO, packetsReceived: 10 }, a: { ...AUDIO, packetsReceived: 5 } }]);
    assert.equal(packets, 15);
    assert.equal(videoPackets, 10);
  });

  test("what we send ourselves is no part of it", async (t) => {
    const { packets } = await last(t, [{ o: { type: "outbound-rtp", kind: "audio", packetsSent: 9, packetsReceived: 9 } }]);
    assert.equal(packets, 0);
  });
});

describe("codecs", () => {
  const video = async (t, codec) => (await last(t, [{ v: { ...VIDEO, codecId: "c" }, ...(codec && { c: codec }) }])).codec;

  for (const [profile, name] of [
    ["42e01f", "H.264 Constrained Baseline"], ["42001f", "H.264 Baseline"], ["4d0032", "H.264 Main"], ["640C1F", "H.264 High"], ["f4001f", "H.264"],
  ]) {
    test(`profile-level-id ${profile} is ${name}`, async (t) => {
      const codec = { type: "codec", mimeType: "video/H264", sdpFmtpLine: `packetization-mode=1;profile-level-id=${profile}` };
      assert.equal(await video(t, codec), name);
    });
  }

  test("have the names people know", async (t) => {
    assert.equal(await video(t, { type: "codec", mimeType: "video/VP8" }), "VP8");
    assert.equal(await video(t, { type: "codec", mimeType: "video/H264" }), "H.264");
    assert.equal(await video(t, { type: "codec" }), null);
    assert.equal(await video(t, null), null);
  });

  test("of sound is known once some has come", async (t) => {
    const codec = { type: "codec", mimeType: "audio/opus" };
    const [before, after] = await digests(t, [
      { a: { ...AUDIO, packetsReceived: 0, codecId: "c" }, c: codec }, { a: { ...AUDIO, packetsReceived: 1, codecId: "c" }, c: codec },
    ]);
    assert.equal(before.soundCodec, null);
    assert.equal(after.soundCodec, "Opus");
  });
});

describe("the path", () => {
  const local = { type: "local-candidate", candidateType: "host", protocol: "udp" };
  const remote = { type: "remote-candidate", candidateType: "srflx", protocol: "udp" };
  const pair = { type: "candidate-pair", localCandidateId: "l", remoteCandidateId: "r", currentRoundTripTime: 0.012 };

  test("is the pair that the transport names", async (t) => {
    const other = { ...pair, nominated: true, state: "succeeded", currentRoundTripTime: 9 };
    const transport = { type: "transport", selectedCandidatePairId: "p" };
    const { path, roundTrip } = await last(t, [{ o: other, t: transport, p: pair, l: local, r: remote }]);
    assert.equal(path, "Direct, UDP");
    assert.equal(roundTrip, 12);
  });

  test("is the nominated pair in Firefox, which has no transport", async (t) => {
    const { path } = await last(t, [{ o: { ...pair, state: "failed" }, p: { ...pair, nominated: true, state: "succeeded" }, l: local, r: remote }]);
    assert.equal(path, "Direct, UDP");
  });

  test("is relayed where either end is, by the relay's protocol", async (t) => {
    const relay = { ...local, candidateType: "relay", relayProtocol: "tcp" };
    const ours = await last(t, [{ p: { ...pair, selected: true }, l: relay, r: remote }]);
    assert.equal(ours.path, "Relayed, TCP");
    const theirs = await last(t, [{ p: { ...pair, selected: true }, l: local, r: { ...remote, candidateType: "relay" } }]);
    assert.equal(theirs.path, "Relayed, UDP");
  });

  test("is not known before there is one", async (t) => {
    const { path, roundTrip } = await last(t, [{ p: pair, l: local, r: remote }]);
    assert.deepEqual([path, roundTrip], [null, null]);
  });
});
