//! The calls into OpenH264, typed and safe from here up.
#![allow(
    unsafe_code,
    reason = "OpenH264 has a C interface; this file is the whole of it"
)]

use std::{ffi::c_int, mem::MaybeUninit, ptr, slice};

use openh264_sys2::{
    API, DynamicAPI, ENCODER_OPTION, ENCODER_OPTION_BITRATE, ENCODER_OPTION_FRAME_RATE,
    ENCODER_OPTION_TRACE_LEVEL, ISVCEncoder, ISVCEncoderVtbl, LOW_COMPLEXITY, PRO_BASELINE, RC_BITRATE_MODE,
    SBitrateInfo, SEncParamExt, SFrameBSInfo, SM_FIXEDSLCNUM_SLICE, SM_SINGLE_SLICE, SPATIAL_LAYER_ALL,
    SSourcePicture, WELS_LOG_QUIET, cmResultSuccess, videoFormatI420, videoFrameTypeIDR,
    videoFrameTypeInvalid, videoFrameTypeSkip,
};

use crate::{
    encode::{EncodeError, Planes},
    media::{Codec, FrameRate, FrameSize, Layer, Timestamp},
};

/// ITU-T H.264, tables E-3 to E-5. Cameras speak sRGB through the matrix of BT.601; limited range.
const PRIMARIES_BT709: u8 = 1;
const TRANSFER_BT709: u8 = 1;
const MATRIX_SMPTE170M: u8 = 6;

/// Finer than this nobody sees, so it would only spend the viewers' bandwidth on the camera's noise.
const FINEST_QUANTIZER: c_int = 12;
const COARSEST_QUANTIZER: c_int = 51;

/// Every second picture is one that nothing refers to. With more layers those between would be referred to, and leave gaps behind.
const TEMPORAL_LAYERS: c_int = 2;

/// `codec_app_def.h`; the bindings leave it out.
const UNSPECIFIED_BIT_RATE: c_int = 0;

/// What an encoder is made for.
pub struct Settings {
    /// Even both ways.
    pub size: FrameSize,
    pub rate: FrameRate,
    /// Bits per second.
    pub bitrate: i32,
    /// `level_idc`.
    pub level: i32,
    pub threads: u16,
}

/// One encoded picture.
pub struct Picture {
    /// All its NAL units, each with its start code.
    pub nal_units: Vec<u8>,
    pub is_idr: bool,
    pub layer: Layer,
}

/// An initialised OpenH264 encoder.
pub struct Encoder {
    api: DynamicAPI,
    raw: *mut ISVCEncoder,
    size: FrameSize,
    /// Filled by each call of the encoder; 6 kB, so it is not on the stack.
    output: Box<SFrameBSInfo>,
}

// SAFETY: the encoder object is used by one thread at a time (`&mut self` everywhere) and keeps no state bound to
// the thread that made it; its own worker threads live inside it.
unsafe impl Send for Encoder {}

impl Encoder {
    pub fn new(settings: &Settings) -> Result<Self, EncodeError> {
        let api = DynamicAPI::from_source();
        let mut raw: *mut ISVCEncoder = ptr::null_mut();
        // SAFETY: `raw` is a valid place for the pointer that the call writes.
        check("start", unsafe { api.WelsCreateSVCEncoder(&raw mut raw) })?;
        if raw.is_null() {
            return Err(failure("start", -1));
        }
        // From here on `Drop` destroys it.
        let mut encoder = Self {
            api,
            raw,
            size: settings.size,
            output: Box::default(),
        };
        encoder.set_option(
            "silence its log",
            ENCODER_OPTION_TRACE_LEVEL,
            &mut WELS_LOG_QUIET.clone(),
        )?;
        let mut parameters = encoder.default_parameters()?;
        fill(&mut parameters, settings)?;
        let initialize = encoder.method(|table| table.InitializeExt)?;
        // SAFETY: `raw` is alive and `parameters` is a whole, initialised structure that the call only reads.
        check("take its parameters", unsafe {
            initialize(raw, &raw const parameters)
        })?;
        Ok(encoder)
    }

    /// Makes the next picture an IDR picture.
    pub fn force_idr(&mut self) -> Result<(), EncodeError> {
        let force = self.method(|table| table.ForceIntraFrame)?;
        // SAFETY: `raw` is alive and initialised.
        check("make a keyframe", unsafe { force(self.raw, true) })
    }

    /// Encodes at `bitrate` bits per second from the next picture on.
    pub fn set_bitrate(&mut self, bitrate: i32) -> Result<(), EncodeError> {
        let mut info = SBitrateInfo {
            iLayer: SPATIAL_LAYER_ALL,
            iBitrate: bitrate,
        };
        self.set_option("change its bitrate", ENCODER_OPTION_BITRATE, &mut info)
    }

    /// Divides the bits among so many pictures a second from the next one on.
    pub fn set_rate(&mut self, rate: FrameRate) -> Result<(), EncodeError> {
        self.set_option(
            "change its frame rate",
            ENCODER_OPTION_FRAME_RATE,
            &mut frames_per_second(rate),
        )
    }

    /// Encodes one picture; `None` where the encoder left it out.
    pub fn encode(&mut self, planes: &Planes<'_>, at: Timestamp) -> Result<Option<Picture>, EncodeError> {
        let line = |stride: usize| c_int::try_from(stride).map_err(|_| failure("take the picture", -1));
        let picture = SSourcePicture {
            iColorFormat: videoFormatI420,
            iStride: [
                line(planes.stride)?,
                line(planes.chroma_stride)?,
                line(planes.chroma_stride)?,
                0,
            ],
            pData: [
                planes.y.as_ptr().cast_mut(),
                planes.u.as_ptr().cast_mut(),
                planes.v.as_ptr().cast_mut(),
                ptr::null_mut(),
            ],
            iPicWidth: dimension(self.size.width)?,
            iPicHeight: dimension(self.size.height)?,
            uiTimeStamp: i64::try_from(at.as_duration().as_millis()).unwrap_or(i64::MAX),
            ..SSourcePicture::default()
        };
        let encode = self.method(|table| table.EncodeFrame)?;
        // SAFETY: `raw` is alive and initialised; the planes are borrowed for the whole call, `Planes` has checked
        // that they hold a picture of at least `self.size` with these strides, and the encoder only reads them
        // (it copies the picture before it works on it); `output` is a whole structure of the library's type.
        check("encode a picture", unsafe {
            encode(self.raw, &raw const picture, &raw mut *self.output)
        })?;
        match self.output.eFrameType {
            t if t == videoFrameTypeSkip || t == videoFrameTypeInvalid => Ok(None),
            t => Ok(Some(Picture {
                nal_units: self.collect(),
                is_idr: t == videoFrameTypeIDR,
                layer: self.layer(),
            })),
        }
    }

    /// The temporal layer of the picture just encoded. Those of layers above the first one come with `nal_ref_idc` 0 where there are two, so no
    /// `frame_num` is missing where they are left out (ITU-T H.264, section 7.4.3).
    fn layer(&self) -> Layer {
        let layers = usize::try_from(self.output.iLayerNum).unwrap_or(0);
        let mut layers = self.output.sLayerInfo.iter().take(layers);
        match layers.any(|layer| layer.uiTemporalId > 0) {
            true => Layer::Upper,
            false => Layer::Base,
        }
    }

    /// The one copy of an encoded picture: out of the encoder's buffer into memory that viewers may share.
    fn collect(&self) -> Vec<u8> {
        let layers = usize::try_from(self.output.iLayerNum).unwrap_or(0);
        let mut whole = Vec::with_capacity(usize::try_from(self.output.iFrameSizeInBytes).unwrap_or(0));
        for layer in self.output.sLayerInfo.iter().take(layers) {
            let nal_units = usize::try_from(layer.iNalCount).unwrap_or(0);
            if nal_units == 0 || layer.pBsBuf.is_null() || layer.pNalLengthInByte.is_null() {
                continue;
            }
            // SAFETY: the encoder has filled `output` without an error: `pNalLengthInByte` points at `iNalCount`
            // lengths, whose sum is what lies at `pBsBuf`; both stay untouched until its next call.
            let bytes = unsafe {
                let lengths = slice::from_raw_parts(layer.pNalLengthInByte, nal_units);
                let length = lengths
                    .iter()
                    .map(|&length| usize::try_from(length).unwrap_or(0))
                    .sum();
                slice::from_raw_parts(layer.pBsBuf, length)
            };
            whole.extend_from_slice(bytes);
        }
        whole
    }

    fn default_parameters(&mut self) -> Result<SEncParamExt, EncodeError> {
        let defaults = self.method(|table| table.GetDefaultParams)?;
        let mut parameters = MaybeUninit::<SEncParamExt>::zeroed();
        // SAFETY: the structure is plain C data for which all zeros is a value, and the call fills it.
        unsafe {
            check(
                "give its default parameters",
                defaults(self.raw, parameters.as_mut_ptr()),
            )?;
            Ok(parameters.assume_init())
        }
    }

    fn set_option<T>(
        &mut self,
        action: &'static str,
        option: ENCODER_OPTION,
        value: &mut T,
    ) -> Result<(), EncodeError> {
        let set = self.method(|table| table.SetOption)?;
        // SAFETY: `raw` is alive; every caller above passes the type that the option is documented to take
        // (codec_app_def.h), and the call does not keep the pointer.
        check(action, unsafe {
            set(self.raw, option, ptr::from_mut(value).cast())
        })
    }

    /// A method of the encoder's table.
    fn method<M>(&self, pick: impl FnOnce(&ISVCEncoderVtbl) -> Option<M>) -> Result<M, EncodeError> {
        // SAFETY: `raw` is not null (`new` checked it) and points at a pointer to the object's method table, which
        // is static.
        pick(unsafe { &**self.raw }).ok_or_else(|| failure("offer a method", -1))
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        if let Ok(uninitialize) = self.method(|table| table.Uninitialize) {
            // SAFETY: `raw` is alive; uninitialising an encoder that was never initialised is allowed.
            unsafe { uninitialize(self.raw) };
        }
        // SAFETY: `raw` came from `WelsCreateSVCEncoder` of the same library and is not used again.
        unsafe { self.api.WelsDestroySVCEncoder(self.raw) };
    }
}

fn fill(parameters: &mut SEncParamExt, settings: &Settings) -> Result<(), EncodeError> {
    let rate = frames_per_second(settings.rate);
    let (width, height) = (dimension(settings.size.width)?, dimension(settings.size.height)?);
    parameters.iPicWidth = width;
    parameters.iPicHeight = height;
    parameters.fMaxFrameRate = rate;
    parameters.iTargetBitrate = settings.bitrate;
    // A maximum equal to the target makes it undershoot; without one it keeps to the level's.
    parameters.iMaxBitrate = UNSPECIFIED_BIT_RATE;
    parameters.iRCMode = RC_BITRATE_MODE;
    // Left out frames are the only thing that it could do beyond the coarsest quantizer.
    parameters.bEnableFrameSkip = false;
    parameters.iMinQp = FINEST_QUANTIZER;
    parameters.iMaxQp = COARSEST_QUANTIZER;
    // Keyframes come on request; one that nobody asked for is a burst for nothing.
    parameters.uiIntraPeriod = 0;
    parameters.bEnableSceneChangeDetect = false;
    // Boards encode in software only when they have no encoder, and then they have no time to spare.
    parameters.iComplexityMode = LOW_COMPLEXITY;
    parameters.iNumRefFrame = 1;
    parameters.iMultipleThreadIdc = settings.threads;
    parameters.bEnableDenoise = false;
    parameters.iSpatialLayerNum = 1;
    parameters.iTemporalLayerNum = TEMPORAL_LAYERS;

    let layer = &mut parameters.sSpatialLayers[0];
    layer.iVideoWidth = width;
    layer.iVideoHeight = height;
    layer.fFrameRate = rate;
    layer.iSpatialBitrate = settings.bitrate;
    layer.iMaxSpatialBitrate = UNSPECIFIED_BIT_RATE;
    layer.uiProfileIdc = PRO_BASELINE;
    layer.uiLevelIdc = settings.level;
    // OpenH264 shares a picture among its threads by slices.
    layer.sSliceArgument.uiSliceMode = if settings.threads > 1 {
        SM_FIXEDSLCNUM_SLICE
    } else {
        SM_SINGLE_SLICE
    };
    layer.sSliceArgument.uiSliceNum = settings.threads.into();
    layer.bVideoSignalTypePresent = true;
    layer.bFullRange = false;
    layer.bColorDescriptionPresent = true;
    layer.uiColorPrimaries = PRIMARIES_BT709;
    layer.uiTransferCharacteristics = TRANSFER_BT709;
    layer.uiColorMatrix = MATRIX_SMPTE170M;
    Ok(())
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "a frame rate needs no more digits than an f32 has"
)]
fn frames_per_second(rate: FrameRate) -> f32 {
    rate.as_f64() as f32
}

fn dimension(pixels: u32) -> Result<c_int, EncodeError> {
    c_int::try_from(pixels).map_err(|_| failure("take the picture's size", -1))
}

fn check(action: &'static str, result: c_int) -> Result<(), EncodeError> {
    if result == cmResultSuccess {
        Ok(())
    } else {
        Err(failure(action, result))
    }
}

fn failure(action: &'static str, result: c_int) -> EncodeError {
    EncodeError::Library {
        codec: Codec::H264,
        action,
        reason: format!("OpenH264 returned {result}"),
    }
}
