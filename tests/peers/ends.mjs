// The viewer's ends of sessions, on whatever libwebrtc there is.

/**
 * Connections by their number. It runs in a page as well, as text, and so knows nothing but its arguments. Offers name no candidates: the
 * node finds the viewer where its checks come from.
 */
export function ends(Connection) {
  const all = new Map();

  const describe = async (connection) => {
    const offer = await connection.createOffer();
    await connection.setLocalDescription(offer);
    return offer.sdp.replace(/^a=(candidate:.*|end-of-candidates)\r\n/gm, "");
  };

  return {
    /** Begins a session of a picture, and of sound where that is wanted; only in this codec, where one is named. */
    async open({ number, codec, sound }) {
      const connection = new Connection({ bundlePolicy: "max-bundle", sdpSemantics: "unified-plan" });
      const picture = connection.addTransceiver("video", { direction: "recvonly" });
      if (codec !== null) {
        const { codecs } = RTCRtpReceiver.getCapabilities("video");
        picture.setCodecPreferences(codecs.filter(({ mimeType }) => mimeType.toLowerCase() === `video/${codec}`.toLowerCase()));
      }
      if (sound) connection.addTransceiver("audio", { direction: "recvonly" });
      all.set(number, connection);
      return describe(connection);
    },

    /** A later offer: ICE begins anew, or a section is switched to a direction, and added where it is not there. */
    async offer({ number, restart, kind, direction }) {
      const connection = all.get(number);
      if (restart) connection.restartIce();
      if (kind) {
        const isOpen = ({ receiver, currentDirection }) => receiver.track.kind === kind && currentDirection !== "stopped";
        const section = connection.getTransceivers().find(isOpen);
        if (section) section.direction = direction;
        else connection.addTransceiver(kind, { direction });
      }
      return describe(connection);
    },

    async answer({ number, sdp }) {
      await all.get(number).setRemoteDescription({ type: "answer", sdp });
    },

    /** What has come so far. */
    async figures({ number }) {
      const connection = all.get(number);
      const facts = { ice: connection.iceConnectionState, cipher: null, video: null, audio: null };
      for (const entry of (await connection.getStats()).values()) {
        if (entry.type === "transport") facts.cipher = entry.srtpCipher ?? null;
        if (entry.type === "inbound-rtp") {
          const { ssrc, packetsReceived, packetsLost, framesDecoded, nackCount, retransmittedPacketsReceived } = entry;
          facts[entry.kind] = { ssrc, packetsReceived, packetsLost, framesDecoded, nackCount, retransmittedPacketsReceived };
        }
      }
      return facts;
    },

    close({ number }) {
      all.get(number)?.close();
      all.delete(number);
    },
  };
}
