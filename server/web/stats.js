// Turns getStats() reports into the few figures a person wants to see.
//
// Rates and shares are taken over a window of the last few seconds, so that they neither jump nor lag.

const WINDOW = 4_000; // ms

export class StatsDigest {
  #peer;
  #samples = []; // oldest first, none older than WINDOW but one

  constructor(peerConnection) {
    this.#peer = peerConnection;
  }

  /**
   * Asks the peer connection and returns a digest:
   * `packets` (sound included), `videoPackets` and `framesDecoded` (totals), `width`, `height` (px), `fps`, `bitrate` (bit/s, sound included),
   * `loss`, `repaired` (shares of packets that were lost and that came again, 0..1), `roundTrip`, `buffer`, `decode` (ms per frame), `dropped` (frames),
   * `codec`, `soundCodec`, `path`. What is not known is null.
   */
  async take() {
    const sample = read(await this.#peer.getStats());
    const samples = this.#samples;
    samples.push(sample);
    while (samples.length > 2 && sample.at - samples[1].at >= WINDOW) samples.shift();
    const first = samples[0];
    const seconds = (sample.at - first.at) / 1000;
    const grown = (key) => sample[key] - first[key];
    const rate = (key) => (seconds > 0.2 ? Math.max(0, grown(key)) / seconds : null);
    const per = (sum, count) => (grown(count) > 0 ? (grown(sum) / grown(count)) * 1000 : null);
    const expected = grown("videoPackets") + grown("lost");
    return {
      packets: sample.packets,
      videoPackets: sample.videoPackets,
      framesDecoded: sample.framesDecoded,
      width: sample.width,
      height: sample.height,
      fps: rate("framesDecoded"),
      bitrate: seconds > 0.2 ? rate("bytes") * 8 : null,
      loss: expected > 0 ? Math.max(0, grown("lost")) / expected : null,
      repaired: expected > 0 ? Math.max(0, grown("repaired")) / expected : null,
      roundTrip: sample.roundTrip,
      buffer: per("bufferDelay", "bufferCount"),
      decode: per("decodeTime", "framesDecoded"),
      dropped: sample.dropped,
      codec: sample.codec,
      soundCodec: sample.soundCodec,
      path: sample.path,
    };
  }
}

function read(report) {
  const sample = {
    at: performance.now(),
    packets: 0, videoPackets: 0, lost: 0, repaired: 0, bytes: 0, framesDecoded: 0, bufferDelay: 0, bufferCount: 0, decodeTime: 0,
    dropped: null, width: null, height: null, roundTrip: null, codec: null, soundCodec: null, path: null,
  };
  for (const entry of report.values()) {
    if (entry.type !== "inbound-rtp") continue;
    sample.packets += entry.packetsReceived ?? 0;
    sample.bytes += entry.bytesReceived ?? 0;
    if (entry.kind === "audio") {
      if (entry.packetsReceived > 0) sample.soundCodec = codecName(report.get(entry.codecId));
      continue;
    }
    sample.videoPackets += entry.packetsReceived ?? 0;
    sample.lost += entry.packetsLost ?? 0;
    sample.repaired += entry.retransmittedPacketsReceived ?? 0;
    sample.framesDecoded += entry.framesDecoded ?? 0;
    sample.decodeTime += entry.totalDecodeTime ?? 0;
    sample.bufferDelay += entry.jitterBufferDelay ?? 0;
    sample.bufferCount += entry.jitterBufferEmittedCount ?? 0;
    sample.dropped = entry.framesDropped ?? null;
    sample.width = entry.frameWidth ?? null;
    sample.height = entry.frameHeight ?? null;
    sample.codec = codecName(report.get(entry.codecId));
  }
  const pair = selectedPair(report);
  if (pair) {
    sample.roundTrip = pair.currentRoundTripTime === undefined ? null : pair.currentRoundTripTime * 1000;
    sample.path = pathName(report.get(pair.localCandidateId), report.get(pair.remoteCandidateId));
  }
  return sample;
}

function selectedPair(report) {
  let nominated = null;
  for (const entry of report.values()) {
    if (entry.type === "transport" && entry.selectedCandidatePairId) return report.get(entry.selectedCandidatePairId);
    // Firefox has no transport entry.
    if (entry.type === "candidate-pair" && (entry.selected || (entry.nominated && entry.state === "succeeded"))) {
      nominated = entry;
    }
  }
  return nominated;
}

/** H.264's profile matters to whoever wonders why a decoder struggles: RFC 6184, section 8.1, profile_idc. */
const H264_PROFILES = { 42: "Baseline", "4d": "Main", 58: "Extended", 64: "High" };

function codecName(codec) {
  if (!codec?.mimeType) return null;
  const name = codec.mimeType.split("/")[1];
  if (name.toUpperCase() !== "H264") return name === "opus" ? "Opus" : name;
  const level = /profile-level-id=([0-9a-f]{2})([0-9a-f]{2})/i.exec(codec.sdpFmtpLine ?? "");
  const profile = level && H264_PROFILES[level[1].toLowerCase()];
  if (!profile) return "H.264";
  const constrained = profile === "Baseline" && parseInt(level[2], 16) & 0x40 ? "Constrained " : "";
  return `H.264 ${constrained}${profile}`;
}

function pathName(local, remote) {
  if (!local || !remote) return null;
  const kinds = [local.candidateType, remote.candidateType];
  const transport = (local.relayProtocol ?? local.protocol ?? "udp").toUpperCase();
  if (kinds.includes("relay")) return `Relayed, ${transport}`;
  return `Direct, ${transport}`;
}
