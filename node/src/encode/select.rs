//! Which encoder to take for a codec, and what to do when one in hardware fails.

use pinhole_service::quiet::Quiet;

use super::{
    EncodeError, VideoEncoder,
    m2m::{self, CodedFormat, Found},
    software,
};
use crate::media::{Bitrate, Codec, Colour, PixelFormat, VideoFormat};

/// What may encode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// A device behind the kernel's V4L2.
    Hardware,
    /// This program.
    Software,
}

/// The choice of an encoder for one codec of one camera.
#[derive(Debug)]
pub struct Selection {
    codec: Codec,
    /// What hardware has to make for this codec.
    coded: Option<CodedFormat>,
    /// The preferred one first.
    ways: Vec<Way>,
    found: Vec<Found>,
    trust: Trust,
    /// Why hardware that is there is not used, where that was said.
    said: Option<String>,
    /// How often that may be said in a minute. It is said anew after a time that all was well, which may be short.
    quiet: Quiet,
}

/// An encoder, and what it wants.
pub struct Chosen {
    /// It encodes.
    pub encoder: Box<dyn VideoEncoder>,
    /// Of these frames.
    pub format: VideoFormat,
    /// Whether it is hardware.
    pub is_hardware: bool,
}

impl Selection {
    /// For `codec`. Nothing is known yet of what there is: see [`Selection::look`].
    pub fn new(codec: Codec) -> Self {
        Self {
            codec,
            coded: None,
            ways: Vec::new(),
            found: Vec::new(),
            trust: Trust::default(),
            said: None,
            quiet: Quiet::new(5),
        }
    }

    /// Looks what hardware there is that makes `coded`, and trusts it again. Whenever a camera is about to be opened.
    pub fn look(&mut self, ways: &[Way], coded: Option<CodedFormat>) {
        let known = !self.found.is_empty() && self.found.iter().all(|found| found.path.exists());
        let is_news = self.ways != ways || self.coded != coded || self.trust.is_shaken() || !known;
        self.ways = ways.to_vec();
        self.coded = coded;
        self.trust = Trust::default();
        // Each look opens every video device that there is.
        if is_news {
            self.find();
        }
    }

    fn find(&mut self) {
        self.found = match self.coded {
            Some(coded) if self.ways.contains(&Way::Hardware) => m2m::discover(coded),
            _ => Vec::new(),
        };
    }

    /// The formats that the encoder to come takes as they are, beside YU12.
    pub fn formats(&self) -> &[PixelFormat] {
        match self.ways.first() {
            Some(Way::Hardware) => self.found.first().map_or(&[], |found| &found.inputs),
            _ => &[],
        }
    }

    /// Whether there is anything that may encode.
    pub fn is_possible(&self) -> bool {
        self.ways.contains(&Way::Software) || !self.found.is_empty()
    }

    /// Makes an encoder for a camera's frames of format `raw`, which are `converted` where it can't take them as they are.
    ///
    /// # Errors
    /// No encoder takes such pictures, or there is none.
    pub fn choose(
        &mut self,
        raw: VideoFormat,
        converted: VideoFormat,
        bitrate: Bitrate,
    ) -> Result<Chosen, EncodeError> {
        let mut error = None;
        for way in self.ways.clone() {
            let chosen = match way {
                Way::Hardware => self.hardware(raw, converted, bitrate),
                Way::Software => {
                    // It goes on when more of the camera's frames come.
                    let format = VideoFormat {
                        rate: raw.rate,
                        ..converted
                    };
                    software(self.codec, format, bitrate).map(|encoder| {
                        Some(Chosen {
                            encoder,
                            format,
                            is_hardware: false,
                        })
                    })
                }
            };
            match chosen {
                Ok(Some(chosen)) => {
                    if chosen.is_hardware {
                        self.said = None;
                    }
                    return Ok(chosen);
                }
                Ok(None) => {}
                Err(failure) => error = Some(failure),
            }
        }
        Err(error.unwrap_or(EncodeError::NoEncoder {
            codec: self.codec,
            format: raw,
        }))
    }

    /// The first of the hardware that opens; `None` where there is none, or none that is trusted.
    fn hardware(
        &mut self,
        raw: VideoFormat,
        converted: VideoFormat,
        bitrate: Bitrate,
    ) -> Result<Option<Chosen>, EncodeError> {
        let Some(coded) = self.coded.filter(|_| self.trust.is_given()) else {
            return Ok(None);
        };
        if self.trust.is_shaken() {
            // What has failed may have gone, or have come back under another name.
            self.find();
        }
        let mut failure = None;
        for found in &self.found {
            // All that is encoded is of one kind of colours.
            let format = match found.takes(&raw) && raw.colour == Colour::VIDEO {
                true => raw,
                false => converted,
            };
            match m2m::Encoder::open(found, coded, format, bitrate) {
                Ok(encoder) => {
                    return Ok(Some(Chosen {
                        encoder: Box::new(encoder),
                        format,
                        is_hardware: true,
                    }));
                }
                Err(error) => failure = Some(error),
            }
        }
        let Some(failure) = failure else {
            return Ok(None);
        };
        self.found.clear();
        if self.ways.contains(&Way::Software) {
            self.say(&with_cause(&failure), "software encodes instead");
        }
        Err(failure.into())
    }

    /// A picture was encoded.
    pub fn worked(&mut self) {
        self.trust.worked();
    }

    /// The hardware that was chosen has failed: whether to choose again, and go on.
    pub fn failed(&mut self, error: &EncodeError) -> bool {
        self.trust.failed();
        let error = with_cause(error);
        match (self.trust.is_given(), self.ways.contains(&Way::Software)) {
            (true, _) => self.say(&error, "another is started"),
            (false, true) => self.say(
                &error,
                "it fails again and again, so software encodes until the camera is opened anew",
            ),
            (false, false) => return false,
        }
        true
    }

    fn say(&mut self, error: &str, consequence: &str) {
        let text = format!("{error}; {consequence}");
        if self.said.as_ref() != Some(&text) {
            if let Some(others) = self.quiet.may_say() {
                tracing::warn!(codec = %self.codec, others, "{text}");
            }
            self.said = Some(text);
        }
    }
}

/// Whether hardware deserves another try. An encoder that fails now and then is made anew; one that does nothing else is given up.
#[derive(Debug, Default)]
struct Trust {
    failures: u32,
    /// Pictures since the last failure.
    good: u32,
}

/// Failures that end it.
const ENOUGH: u32 = 3;
/// So many pictures between make up for them.
const RECOVERED: u32 = 300;

impl Trust {
    fn worked(&mut self) {
        self.good = self.good.saturating_add(1);
        if self.good >= RECOVERED {
            self.failures = 0;
        }
    }

    fn failed(&mut self) {
        self.failures += 1;
        self.good = 0;
    }

    fn is_given(&self) -> bool {
        self.failures < ENOUGH
    }

    fn is_shaken(&self) -> bool {
        self.failures > 0
    }
}

fn with_cause(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::FrameRate;

    fn yu12() -> VideoFormat {
        VideoFormat {
            pixel: PixelFormat::Yu12,
            size: "640x480".parse().unwrap(),
            stride: 640,
            colour: Colour::VIDEO,
            rate: FrameRate::per_second(30),
        }
    }

    #[test]
    fn hardware_is_given_up_when_it_does_nothing_but_fail() {
        let mut trust = Trust::default();
        for _ in 1..ENOUGH {
            trust.failed();
            assert!(trust.is_given());
        }
        trust.failed();
        assert!(!trust.is_given());
    }

    #[test]
    fn a_failure_now_and_then_is_forgiven() {
        let mut trust = Trust::default();
        for _ in 0..10 {
            trust.failed();
            assert!(trust.is_given() && trust.is_shaken());
            (0..RECOVERED).for_each(|_| trust.worked());
            assert!(!trust.is_shaken());
        }
    }

    #[test]
    fn what_is_left_after_a_failure_decides() {
        let failure = || EncodeError::NoEncoder {
            codec: Codec::H264,
            format: yu12(),
        };
        let mut selection = Selection::new(Codec::H264);
        selection.ways = vec![Way::Hardware, Way::Software];
        assert_eq!([(); 4].map(|()| selection.failed(&failure())), [true; 4]);
        let mut selection = Selection::new(Codec::H264);
        selection.ways = vec![Way::Hardware];
        let goes_on = [(); 4].map(|()| selection.failed(&failure()));
        assert_eq!(goes_on, [true, true, false, false]);
    }

    #[test]
    fn without_hardware_software_encodes_or_nothing_does() {
        let bitrate = Bitrate::from_bps(1_000_000);
        let choose = |codec, ways: &[Way]| {
            let mut selection = Selection::new(codec);
            selection.look(ways, None);
            let is_possible = selection.is_possible();
            let chosen = selection.choose(yu12(), yu12(), bitrate);
            (is_possible, chosen.map(|chosen| chosen.encoder.name().to_owned()))
        };
        let (possible, name) = choose(Codec::H264, &[Way::Hardware, Way::Software]);
        assert!(possible);
        assert_eq!(name.unwrap(), "OpenH264");
        let (possible, name) = choose(Codec::Vp8, &[Way::Hardware]);
        assert!(!possible);
        let error = name.expect_err("there is nothing").to_string();
        assert!(error.contains("add \"software\""), "{error}");
    }
}
