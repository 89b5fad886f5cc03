//! The calls into libvpx, typed and safe from here up.
#![allow(
    unsafe_code,
    reason = "libvpx has a C interface; this file is the whole of it"
)]

use std::{
    ffi::{CStr, c_int, c_uint, c_ulong},
    mem::MaybeUninit,
    ptr, slice,
};

use bytes::Bytes;
use vpx_sys::{
    VP8_EFLAG_NO_REF_ARF, VP8_EFLAG_NO_REF_GF, VP8_EFLAG_NO_UPD_ARF, VP8_EFLAG_NO_UPD_ENTROPY,
    VP8_EFLAG_NO_UPD_GF, VP8_EFLAG_NO_UPD_LAST, VPX_DL_REALTIME, VPX_EFLAG_FORCE_KF, VPX_ENCODER_ABI_VERSION,
    VPX_FRAME_IS_KEY, vp8e_enc_control_id, vpx_codec_control_, vpx_codec_ctx_t, vpx_codec_cx_pkt_kind,
    vpx_codec_destroy, vpx_codec_enc_cfg_t, vpx_codec_enc_config_default, vpx_codec_enc_config_set,
    vpx_codec_enc_init_ver, vpx_codec_encode, vpx_codec_err_t, vpx_codec_err_to_string,
    vpx_codec_error_detail, vpx_codec_get_cx_data, vpx_codec_iter_t, vpx_codec_vp8_cx, vpx_enc_frame_flags_t,
    vpx_enc_pass, vpx_image_t, vpx_img_fmt, vpx_img_wrap, vpx_kf_mode, vpx_rc_mode,
};

use crate::{
    encode::{EncodeError, Planes},
    media::{Bitrate, Codec, FrameRate, FrameSize, Layer, Timestamp},
};

/// Ticks per second of the time stamps given to the encoder.
const TIMEBASE: c_int = 90_000;

/// How large a keyframe may get, in per cent of an average frame's bits; libvpx has no bound of its own, and a
/// burst of more than ten frame times would hold up the pictures behind it.
const LARGEST_KEYFRAME_PERCENT: c_int = 1000;

/// Of the bits per second the base layer has this share: its pictures build upon those two before, and have more to tell.
const BASE_PERCENT: c_uint = 60;

/// Every picture builds upon the last one of the base, and on no other.
const BASE_FLAGS: u32 =
    VP8_EFLAG_NO_REF_GF | VP8_EFLAG_NO_REF_ARF | VP8_EFLAG_NO_UPD_GF | VP8_EFLAG_NO_UPD_ARF;
/// Pictures of the upper layer leave nothing behind, the probabilities of the entropy coder included.
const UPPER_FLAGS: u32 = BASE_FLAGS | VP8_EFLAG_NO_UPD_LAST | VP8_EFLAG_NO_UPD_ENTROPY;

/// What an encoder is made for.
pub struct Settings {
    pub size: FrameSize,
    pub rate: FrameRate,
    pub bitrate: Bitrate,
    pub threads: u16,
    /// `cpu-used`.
    pub speed: i32,
}

/// One encoded picture.
pub struct Picture {
    pub data: Bytes,
    pub is_keyframe: bool,
    pub layer: Layer,
}

/// An initialised VP8 encoder.
pub struct Encoder {
    /// Boxed: libvpx keeps pointers into it.
    context: Box<vpx_codec_ctx_t>,
    config: vpx_codec_enc_cfg_t,
    /// Ticks from frame to frame.
    duration: c_ulong,
    last_time: i64,
    /// Of the picture that comes next, unless it is a keyframe.
    next: Layer,
}

// SAFETY: the context is used by one thread at a time (`&mut self` everywhere) and is not bound to the thread that
// made it; libvpx's own worker threads live inside it.
unsafe impl Send for Encoder {}

impl Encoder {
    pub fn new(settings: &Settings) -> Result<Self, EncodeError> {
        let mut config = default_config()?;
        fill(&mut config, settings);
        // SAFETY: all zeros is the documented state of a context before its initialisation.
        let mut context = Box::new(unsafe { MaybeUninit::<vpx_codec_ctx_t>::zeroed().assume_init() });
        // SAFETY: context and configuration are whole structures of the linked library's version, which the ABI
        // version lets it check.
        let result = unsafe {
            vpx_codec_enc_init_ver(
                &raw mut *context,
                vpx_codec_vp8_cx(),
                &raw const config,
                0,
                VPX_ENCODER_ABI_VERSION.cast_signed(),
            )
        };
        check("start", result, None)?;
        // From here on `Drop` destroys it.
        let mut encoder = Self {
            context,
            config,
            duration: duration(settings.rate),
            last_time: -1,
            next: Layer::Base,
        };
        encoder.control(vp8e_enc_control_id::VP8E_SET_CPUUSED, settings.speed)?;
        // A static background is not encoded again for its noise.
        encoder.control(vp8e_enc_control_id::VP8E_SET_STATIC_THRESHOLD, 1)?;
        // The base two logarithm of the number of partitions, so that each thread has its own.
        let partitions = settings.threads.next_power_of_two().trailing_zeros();
        encoder.control(
            vp8e_enc_control_id::VP8E_SET_TOKEN_PARTITIONS,
            partitions.cast_signed(),
        )?;
        encoder.control(
            vp8e_enc_control_id::VP8E_SET_MAX_INTRA_BITRATE_PCT,
            LARGEST_KEYFRAME_PERCENT,
        )?;
        Ok(encoder)
    }

    /// Encodes at `bitrate` from the next picture on.
    pub fn set_bitrate(&mut self, bitrate: Bitrate) -> Result<(), EncodeError> {
        set_bitrates(&mut self.config, bitrate);
        // SAFETY: both are whole and initialised; the call copies the configuration.
        let result = unsafe { vpx_codec_enc_config_set(&raw mut *self.context, &raw const self.config) };
        check("change its bitrate", result, Some(&mut self.context))
    }

    /// Divides the bits among so many pictures a second from the next one on.
    pub fn set_rate(&mut self, rate: FrameRate) {
        self.duration = duration(rate);
    }

    /// Encodes one picture; `None` where the encoder left it out.
    pub fn encode(
        &mut self,
        planes: &Planes<'_>,
        at: Timestamp,
        keyframe: bool,
    ) -> Result<Option<Picture>, EncodeError> {
        let image =
            wrap(planes).ok_or_else(|| failure("take the picture", "its lines are too long".to_owned()))?;
        // Time has to advance by a tick, or libvpx refuses the picture.
        let time = ticks(at).max(self.last_time + 1);
        self.last_time = time;
        let layer = if keyframe { Layer::Base } else { self.next };
        let (number, flags) = match layer {
            Layer::Base => (0, BASE_FLAGS),
            Layer::Upper => (1, UPPER_FLAGS),
        };
        // A keyframe becomes what all later ones refer to, whatever else is asked for.
        let flags = if keyframe { VPX_EFLAG_FORCE_KF } else { flags };
        self.control(vp8e_enc_control_id::VP8E_SET_TEMPORAL_LAYER_ID, number)?;
        // C's `long`, which has 32 bits on a 32-bit board.
        let flags = flags as vpx_enc_frame_flags_t;
        // SAFETY: the context is initialised; the image's planes are borrowed for the whole call, `Planes` has
        // checked that they hold a picture of that size with these strides, and the encoder only reads them and
        // copies what it keeps.
        let result = unsafe {
            vpx_codec_encode(
                &raw mut *self.context,
                &raw const image,
                time,
                self.duration,
                flags,
                VPX_DL_REALTIME.into(),
            )
        };
        check("encode a picture", result, Some(&mut self.context))?;
        let picture = self.packet(layer);
        if let Some(picture) = &picture {
            self.next = match picture.layer {
                Layer::Base => Layer::Upper,
                Layer::Upper => Layer::Base,
            };
        }
        Ok(picture)
    }

    /// The packet of the picture just encoded, of this layer. Without lag there is one, or none for a dropped frame.
    fn packet(&mut self, layer: Layer) -> Option<Picture> {
        let mut iterator: vpx_codec_iter_t = ptr::null();
        loop {
            // SAFETY: the context is initialised, the iterator starts as null as documented.
            let packet =
                unsafe { vpx_codec_get_cx_data(&raw mut *self.context, &raw mut iterator).as_ref()? };
            if packet.kind != vpx_codec_cx_pkt_kind::VPX_CODEC_CX_FRAME_PKT {
                continue;
            }
            // SAFETY: the kind says which member of the union is set.
            let frame = unsafe { &packet.data.frame };
            if frame.buf.is_null() {
                continue;
            }
            // SAFETY: the packet's buffer holds `sz` bytes until the next call of the encoder.
            let data = unsafe { slice::from_raw_parts(frame.buf.cast::<u8>(), frame.sz) };
            let is_keyframe = frame.flags & VPX_FRAME_IS_KEY != 0;
            return Some(Picture {
                data: Bytes::copy_from_slice(data),
                is_keyframe,
                layer: if is_keyframe { Layer::Base } else { layer },
            });
        }
    }

    fn control(&mut self, control: vp8e_enc_control_id, value: c_int) -> Result<(), EncodeError> {
        // SAFETY: the context is initialised, and each control used above takes one int or unsigned int, which are
        // passed alike.
        let result = unsafe { vpx_codec_control_(&raw mut *self.context, control as c_int, value) };
        check("take its parameters", result, Some(&mut self.context))
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        // SAFETY: the context is initialised and not used again.
        unsafe { vpx_codec_destroy(&raw mut *self.context) };
    }
}

/// Ticks from frame to frame.
fn duration(rate: FrameRate) -> c_ulong {
    let ticks = f64::from(TIMEBASE) / rate.as_f64().max(0.1);
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "at most 900000 by the bound above"
    )]
    let ticks = ticks as c_ulong;
    ticks.max(1)
}

fn default_config() -> Result<vpx_codec_enc_cfg_t, EncodeError> {
    let mut config = MaybeUninit::<vpx_codec_enc_cfg_t>::zeroed();
    // SAFETY: the call fills the structure, for which all zeros is a value where it does not.
    unsafe {
        let result = vpx_codec_enc_config_default(vpx_codec_vp8_cx(), config.as_mut_ptr(), 0);
        check("give its default parameters", result, None)?;
        Ok(config.assume_init())
    }
}

fn fill(config: &mut vpx_codec_enc_cfg_t, settings: &Settings) {
    config.g_w = settings.size.width;
    config.g_h = settings.size.height;
    config.g_threads = settings.threads.into();
    config.g_timebase.num = 1;
    config.g_timebase.den = TIMEBASE;
    config.g_pass = vpx_enc_pass::VPX_RC_ONE_PASS;
    config.g_lag_in_frames = 0;
    // Its contexts would forget what a lost frame might have changed, at a cost for every frame. Viewers here have
    // lost packets sent again, and a keyframe where that comes too late.
    config.g_error_resilient = 0;
    config.rc_end_usage = vpx_rc_mode::VPX_CBR;
    config.ts_number_layers = 2;
    config.ts_periodicity = 2;
    config.ts_layer_id[..2].copy_from_slice(&[0, 1]);
    config.ts_rate_decimator[..2].copy_from_slice(&[2, 1]);
    set_bitrates(config, settings.bitrate);
    config.rc_dropframe_thresh = 0;
    config.rc_resize_allowed = 0;
    config.rc_min_quantizer = 2;
    // The coarsest there is: with frame dropping off, nothing else could hold the bitrate.
    config.rc_max_quantizer = 63;
    config.rc_undershoot_pct = 100;
    config.rc_overshoot_pct = 15;
    // Milliseconds: a second of buffer lets a keyframe have bits without letting latency grow for longer.
    config.rc_buf_sz = 1000;
    config.rc_buf_initial_sz = 500;
    config.rc_buf_optimal_sz = 600;
    // Keyframes come on request; one that nobody asked for is a burst for nothing.
    config.kf_mode = vpx_kf_mode::VPX_KF_DISABLED;
}

/// What all layers have together, and what each has with those below it.
fn set_bitrates(config: &mut vpx_codec_enc_cfg_t, bitrate: Bitrate) {
    let all = kilobits(bitrate);
    config.rc_target_bitrate = all;
    config.ts_target_bitrate[..2].copy_from_slice(&[all * BASE_PERCENT / 100, all]);
}

/// An image over the borrowed planes. libvpx takes `*mut`, but an encoder's input is only read.
fn wrap(planes: &Planes<'_>) -> Option<vpx_image_t> {
    let (stride, chroma_stride) = (
        c_int::try_from(planes.stride).ok()?,
        c_int::try_from(planes.chroma_stride).ok()?,
    );
    let mut image = MaybeUninit::<vpx_image_t>::zeroed();
    // SAFETY: the call fills the structure without touching the data, which it does not own then; the planes that
    // it guesses are replaced by the real ones.
    let mut image = unsafe {
        let wrapped = vpx_img_wrap(
            image.as_mut_ptr(),
            vpx_img_fmt::VPX_IMG_FMT_I420,
            planes.size.width,
            planes.size.height,
            1,
            planes.y.as_ptr().cast_mut(),
        );
        if wrapped.is_null() {
            return None;
        }
        image.assume_init()
    };
    image.planes = [
        planes.y.as_ptr().cast_mut(),
        planes.u.as_ptr().cast_mut(),
        planes.v.as_ptr().cast_mut(),
        ptr::null_mut(),
    ];
    image.stride = [stride, chroma_stride, chroma_stride, 0];
    Some(image)
}

fn kilobits(bitrate: Bitrate) -> c_uint {
    c_uint::try_from(bitrate.kbps().clamp(30, 1_000_000)).unwrap_or(1_000_000)
}

fn ticks(at: Timestamp) -> i64 {
    i64::try_from(at.as_duration().as_micros() * 9 / 100).unwrap_or(i64::MAX - 1)
}

fn check(
    action: &'static str,
    result: vpx_codec_err_t,
    context: Option<&mut vpx_codec_ctx_t>,
) -> Result<(), EncodeError> {
    if result == vpx_codec_err_t::VPX_CODEC_OK {
        return Ok(());
    }
    // SAFETY: the text is static.
    let mut reason = unsafe { text(vpx_codec_err_to_string(result)) };
    if let Some(context) = context {
        // SAFETY: the context is initialised; the text is copied before the next call may change it.
        let detail = unsafe { text(vpx_codec_error_detail(context)) };
        if !detail.is_empty() {
            reason = format!("{reason}: {detail}");
        }
    }
    Err(failure(action, reason))
}

/// A C string, empty for null.
///
/// # Safety
///
/// The pointer is null or points at a string that stays as it is during the call.
unsafe fn text(pointer: *const std::ffi::c_char) -> String {
    if pointer.is_null() {
        return String::new();
    }
    // SAFETY: by this function's own contract.
    unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned()
}

fn failure(action: &'static str, reason: String) -> EncodeError {
    EncodeError::Library {
        codec: Codec::Vp8,
        action,
        reason: format!("libvpx: {reason}"),
    }
}
