use std::fmt;

/// Bytes of a block.
const BLOCK: usize = 128;
/// The interface counts blocks in eight bits (`struct v4l2_edid`).
const MOST_BLOCKS: usize = 256;
const HEADER: [u8; 8] = [0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00];
/// Where the base block tells how many others follow.
const EXTENSIONS: usize = 126;

/// What a display tells a source of itself (VESA E-EDID): blocks of 128 bytes, whose checksums are right.
#[derive(Clone, PartialEq, Eq)]
pub struct Edid(Vec<u8>);

/// Why some bytes are no EDID.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EdidError {
    /// Neither of the two ways to write one.
    #[error("it is neither binary nor in hexadecimal digits, as edid-decode and v4l2-ctl write them")]
    NeitherBinaryNorHexadecimal,
    /// Not of whole blocks.
    #[error("it has {0} bytes, and an EDID has 1 to 256 blocks of 128 bytes")]
    Length(usize),
    /// Something else.
    #[error("it does not begin as an EDID does, with 00 ff ff ff ff ff ff 00")]
    Header,
    /// Fewer blocks than it tells of.
    #[error(
        "it was cut short: of the blocks behind its first, of which it counts {extensions}, there are {there}"
    )]
    CutShort {
        /// What the first block says.
        extensions: usize,
        /// What there is.
        there: usize,
    },
    /// The bytes of a block don't add up to zero.
    #[error("the checksum of block {block} is {found:02x} and has to be {right:02x}")]
    Checksum {
        /// Which, counted from 0.
        block: usize,
        /// Its last byte.
        found: u8,
        /// What that has to be.
        right: u8,
    },
}

impl Edid {
    /// Ours: 1280x720 at 60, 50, 30 and 25 Hz, 1920x1080 at 30, 25 and 24 Hz, progressive, RGB, stereo sound. That is what a bridge with two CSI-2 lanes
    /// passes on.
    pub fn built_in() -> Self {
        Self([sealed(BASE), sealed(CTA)].concat())
    }

    /// Reads a file's content, which is binary or in hexadecimal digits, with or without `0x`, spaces and commas.
    ///
    /// # Errors
    /// It is not an EDID, or a damaged one.
    pub fn read(content: &[u8]) -> Result<Self, EdidError> {
        if content.starts_with(&HEADER) || !content.is_ascii() || content.contains(&0) {
            return Self::of(content.to_vec());
        }
        let bytes = hexadecimal(&String::from_utf8_lossy(content));
        bytes
            .ok_or(EdidError::NeitherBinaryNorHexadecimal)
            .and_then(Self::of)
    }

    /// These blocks.
    ///
    /// # Errors
    /// They are not an EDID, or a damaged one.
    pub fn of(bytes: Vec<u8>) -> Result<Self, EdidError> {
        if bytes.is_empty() || !bytes.len().is_multiple_of(BLOCK) || bytes.len() > MOST_BLOCKS * BLOCK {
            return Err(EdidError::Length(bytes.len()));
        }
        if !bytes.starts_with(&HEADER) {
            return Err(EdidError::Header);
        }
        // More than it says is right: HDMI 2.1 counts those in a block of its own.
        let (extensions, there) = (usize::from(bytes[EXTENSIONS]), bytes.len() / BLOCK - 1);
        if extensions > there {
            return Err(EdidError::CutShort { extensions, there });
        }
        for (block, bytes) in bytes.chunks(BLOCK).enumerate() {
            let (found, right) = (bytes[BLOCK - 1], checksum(bytes));
            if found != right {
                return Err(EdidError::Checksum { block, found, right });
            }
        }
        Ok(Self(bytes))
    }

    /// All blocks, one behind the other.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// How many blocks there are.
    pub fn blocks(&self) -> usize {
        self.0.len() / BLOCK
    }
}

impl fmt::Debug for Edid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Edid({} blocks)", self.blocks())
    }
}

/// Pairs of digits, however they are parted.
fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let words = text.split(|c: char| c.is_ascii_whitespace() || c == ',');
    for word in words.filter(|word| !word.is_empty()) {
        let digits = word
            .strip_prefix("0x")
            .or_else(|| word.strip_prefix("0X"))
            .unwrap_or(word);
        if !digits.len().is_multiple_of(2) || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        for at in (0..digits.len()).step_by(2) {
            bytes.push(u8::from_str_radix(&digits[at..at + 2], 16).ok()?);
        }
    }
    Some(bytes)
}

/// What the last byte of a block has to be: all of them add up to zero.
const fn checksum(block: &[u8]) -> u8 {
    let (mut sum, mut at) = (0u8, 0);
    while at < BLOCK - 1 {
        sum = sum.wrapping_add(block[at]);
        at += 1;
    }
    sum.wrapping_neg()
}

const fn sealed(mut block: [u8; BLOCK]) -> [u8; BLOCK] {
    block[BLOCK - 1] = checksum(&block);
    block
}

/// The base block, as in VESA E-EDID 1.3, which CTA-861 wants.
#[rustfmt::skip]
const BASE: [u8; BLOCK] = [
    // The header.
    0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00,
    // The manufacturer, "LNX", as in what Linux itself makes up (three letters of five bits); product and serial number: none.
    0x31, 0xd8, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    // No week, of the year 1990 + 36; EDID 1.3.
    0x00, 36, 1, 3,
    // Digital; of unknown size, so that no source guesses how many dots an inch has; gamma 2.2 (in hundredths above 1).
    0x80, 0, 0, 120,
    // In RGB colours, which are those of sRGB; the first detailed timing is the one to prefer.
    0x0e,
    // sRGB's primaries and white, in ten bits each.
    0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99, 0x26, 0x0f, 0x50, 0x54,
    // Established timings: 640x480 at 60 Hz, as every display.
    0x20, 0x00, 0x00,
    // Standard timings: none.
    0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01,
    // 1280x720 at 60 Hz: 74.25 MHz; 1280 + 370 across; 720 + 30 down; porches and syncs 110 + 40 across, 5 + 5 down; both syncs positive.
    0x01, 0x1d, 0x00, 0x72, 0x51, 0xd0, 0x1e, 0x20, 0x6e, 0x28, 0x55, 0x00, 0, 0, 0, 0, 0, 0x1e,
    // 1920x1080 at 30 Hz: 74.25 MHz; 1920 + 280 across; 1080 + 45 down; porches and syncs 88 + 44 across, 4 + 5 down; both syncs positive.
    0x01, 0x1d, 0x80, 0x18, 0x71, 0x38, 0x2d, 0x40, 0x58, 0x2c, 0x45, 0x00, 0, 0, 0, 0, 0, 0x1e,
    // The display's range: 24 to 60 Hz, 18 to 46 kHz, up to 80 MHz.
    0x00, 0x00, 0x00, 0xfd, 0x00, 24, 60, 18, 46, 8, 0x00, 0x0a, b' ', b' ', b' ', b' ', b' ', b' ',
    // The display's name.
    0x00, 0x00, 0x00, 0xfc, 0x00, b'P', b'i', b'n', b'h', b'o', b'l', b'e', 0x0a, b' ', b' ', b' ', b' ', b' ',
    // One block follows; the checksum is put in by `sealed`.
    1, 0,
];

/// The extension of CTA-861, without which a source takes the input for DVI, and sends no sound.
#[rustfmt::skip]
const CTA: [u8; BLOCK] = {
    const DATA: [u8; 32] = [
        // CTA-861, revision 3; the data blocks end at 32.
        0x02, 0x03, 32,
        // Nothing is cut off at the edges; there is sound; RGB only; the first detailed timing is the native one.
        0xc1,
        // Eight pictures by their numbers in CTA-861: 720p60, 1080p30, 720p50, 1080p25, 1080p24, 720p30, 720p25, 480p60.
        0x48, 4, 34, 19, 33, 32, 62, 61, 1,
        // Sound: LPCM of two channels, at 32, 44.1 and 48 kHz, of 16 bits.
        0x23, 0x09, 0x07, 0x01,
        // From loudspeakers at the front, left and right.
        0x83, 0x01, 0x00, 0x00,
        // Nothing is cut off, once more; and a source that says which range its RGB has is believed.
        0xe2, 0x00, 0x4a,
        // HDMI (00-0C-03): the address 1.0.0.0, nothing optional, up to 75 MHz (in steps of five).
        0x67, 0x03, 0x0c, 0x00, 0x10, 0x00, 0x00, 15,
    ];
    let (mut block, mut at) = ([0; BLOCK], 0);
    while at < DATA.len() {
        block[at] = DATA[at];
        at += 1;
    }
    block
};

#[cfg(test)]
mod tests {
    use super::*;

    /// The detailed timing at `at`: pixel clock in Hz, size, whole size.
    fn timing(bytes: &[u8], at: usize) -> (u32, [u32; 2], [u32; 2]) {
        let byte = |index: usize| u32::from(bytes[at + index]);
        let wide = byte(2) | (byte(4) >> 4) << 8;
        let high = byte(5) | (byte(7) >> 4) << 8;
        let blank = [byte(3) | (byte(4) & 15) << 8, byte(6) | (byte(7) & 15) << 8];
        (
            (byte(0) | byte(1) << 8) * 10_000,
            [wide, high],
            [wide + blank[0], high + blank[1]],
        )
    }

    #[test]
    fn ours_is_valid() {
        let edid = Edid::built_in();
        assert_eq!(Edid::of(edid.bytes().to_vec()), Ok(edid.clone()));
        assert_eq!(edid.blocks(), 2);
        assert!(edid.bytes().starts_with(&HEADER));
        for block in edid.bytes().chunks(BLOCK) {
            let sum = block.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
            assert_eq!(sum, 0);
        }
    }

    #[test]
    fn ours_offers_720p60_first_and_then_1080p30_and_nothing_faster() {
        let edid = Edid::built_in();
        let bytes = edid.bytes();
        for (at, size, rate) in [(54, [1280, 720], 60), (72, [1920, 1080], 30)] {
            let (clock, visible, whole) = timing(bytes, at);
            assert_eq!((visible, clock / (whole[0] * whole[1])), (size, rate));
            assert!(clock <= 75_000_000);
        }
        assert_ne!(bytes[24] & 2, 0, "the first is the preferred one");
    }

    #[test]
    fn ours_is_that_of_an_hdmi_display() {
        let edid = Edid::built_in();
        let extension = &edid.bytes()[BLOCK..];
        assert_eq!(extension[..2], [2, 3], "CTA-861, revision 3");
        let end = usize::from(extension[2]);
        let (mut at, mut kinds) = (4, Vec::new());
        while at < end {
            let (kind, length) = (extension[at] >> 5, usize::from(extension[at] & 31));
            if kind == 3 {
                assert_eq!(extension[at + 1..at + 4], [0x03, 0x0c, 0x00], "HDMI");
                assert_eq!(extension[at + 4..at + 6], [0x10, 0x00], "1.0.0.0");
            }
            kinds.push(kind);
            at += 1 + length;
        }
        assert_eq!(at, end, "the blocks fill what they should");
        assert_eq!(
            kinds,
            [2, 1, 4, 7, 3],
            "pictures, sound, loudspeakers, capability, HDMI"
        );
        assert!(extension[end..BLOCK - 1].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn a_file_is_binary_or_hexadecimal() {
        let edid = Edid::built_in();
        let hexadecimal = |separator: &str, prefix: &str| {
            let bytes = edid.bytes().iter().enumerate();
            let words = bytes.map(|(at, byte)| {
                let end = if at % 16 == 15 { "\n" } else { separator };
                format!("{prefix}{byte:02X}{end}")
            });
            words.collect::<String>().into_bytes()
        };
        for content in [
            edid.bytes().to_vec(),
            hexadecimal(" ", ""),
            hexadecimal("", ""),
            hexadecimal(", ", "0x"),
        ] {
            let shown = String::from_utf8_lossy(&content).into_owned();
            assert_eq!(Edid::read(&content), Ok(edid.clone()), "{shown}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let ours = || Edid::built_in().bytes().to_vec();
        let with = |at: usize, byte: u8| {
            let mut bytes = ours();
            bytes[at] = byte;
            bytes
        };
        for (content, expected) in [
            (vec![], "it has 0 bytes"),
            (ours()[..200].to_vec(), "it has 200 bytes"),
            (ours().repeat(129), "1 to 256 blocks of 128 bytes"),
            (ours()[..128].to_vec(), "of which it counts 1, there are 0"),
            (vec![0; 128], "does not begin as an EDID does"),
            (with(8, 0x32), "the checksum of block 0"),
            (with(255, 0), "the checksum of block 1 is 00 and has to be"),
            (b"see the manual".to_vec(), "neither binary nor in hexadecimal"),
            (b"00 ff ff f".to_vec(), "neither binary nor in hexadecimal"),
            (b"00 ff ff ff ff ff ff 00".to_vec(), "it has 8 bytes"),
            ("Größe".as_bytes().to_vec(), "it has 7 bytes"),
        ] {
            let error = Edid::read(&content).expect_err(expected).to_string();
            assert!(error.contains(expected), "{error:?} lacks {expected:?}");
        }
    }
}
