/// The header of an RTP packet without extensions and contributing sources (RFC 3550, section 5.1).
pub(in crate::peer) const HEADER: usize = 12;

/// The header of an RTP packet without extensions, as what is sealed with it has it; not what DTLS and RTCP have instead (RFC 5761, section 4).
pub(super) fn rtp_header(data: &[u8]) -> Option<&[u8; HEADER]> {
    let header: &[u8; HEADER] = data.try_into().ok()?;
    let is_rtp = header[0] == 0x80 && !(192..=223).contains(&header[1]);
    is_rtp.then_some(header)
}
