/// The header of an RTP packet without extensions and contributing sources (RFC 3550, section 5.1).
pub(in crate::peer) const HEADER: usize = 12;

/// What stands before the words of an extension (RFC 3550, section 5.3.1).
const EXTENSION: usize = 4;
/// In the first byte of a header: that an extension follows it, and how many sources have contributed.
const EXTENDED: u8 = 0x10;
const SOURCES: u8 = 0x0f;

/// Cuts a packet behind its header, with its sources and its extension: what is not encrypted (RFC 3711, section 3.1; RFC 7714, section 9.2).
/// `None` where it is shorter than that.
pub(super) fn cut(packet: &mut [u8]) -> Option<(&mut [u8], &mut [u8])> {
    let (fixed, rest) = packet.split_first_chunk::<HEADER>()?;
    let mut length = HEADER + 4 * usize::from(fixed[0] & SOURCES);
    if fixed[0] & EXTENDED != 0 {
        let before = rest.get(length - HEADER..)?.first_chunk::<EXTENSION>()?;
        length += EXTENSION + 4 * usize::from(u16::from_be_bytes([before[2], before[3]]));
    }
    packet.split_at_mut_checked(length)
}

/// The header of an RTP packet without extensions, as what is sealed with it has it; not what DTLS and RTCP have instead (RFC 5761, section 4).
pub(super) fn rtp_header(data: &[u8]) -> Option<&[u8; HEADER]> {
    let header: &[u8; HEADER] = data.try_into().ok()?;
    let is_rtp = header[0] == 0x80 && !(192..=223).contains(&header[1]);
    is_rtp.then_some(header)
}
