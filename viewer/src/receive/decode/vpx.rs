//! VP8 through libvpx. The only unsafe code of this program.
#![allow(
    unsafe_code,
    reason = "libvpx is a C library; its calls are wrapped here and nowhere else"
)]

use std::{ffi::CStr, mem::MaybeUninit, ptr};

use vpx_sys::{
    VPX_CODEC_OK, VPX_DECODER_ABI_VERSION, vpx_codec_ctx_t, vpx_codec_dec_cfg_t, vpx_codec_dec_init_ver,
    vpx_codec_decode, vpx_codec_destroy, vpx_codec_err_t, vpx_codec_err_to_string, vpx_codec_get_frame,
    vpx_codec_vp8_dx,
};

use super::{DecodeError, Decoder};
use crate::receive::{Codec, Luma};

/// A VP8 decoder.
pub struct Vpx {
    /// Boxed: libvpx may keep pointers into it between calls, so it must not move.
    context: Box<vpx_codec_ctx_t>,
}

impl Vpx {
    pub fn new() -> Result<Self, DecodeError> {
        let config = vpx_codec_dec_cfg_t {
            threads: 1,
            w: 0,
            h: 0,
        };
        let mut context = Box::new(MaybeUninit::<vpx_codec_ctx_t>::zeroed());
        // SAFETY: `context` and `config` are valid for the call, which initialises the former and only reads
        // the latter; the interface is a static of libvpx; the version is that of the bindings.
        let status = unsafe {
            let version = VPX_DECODER_ABI_VERSION as i32;
            vpx_codec_dec_init_ver(context.as_mut_ptr(), vpx_codec_vp8_dx(), &config, 0, version)
        };
        if status != VPX_CODEC_OK {
            return Err(DecodeError::Start {
                codec: Codec::Vp8,
                reason: describe(status),
            });
        }
        // SAFETY: the context is plain C data that was zeroed and then filled by the successful call above.
        let context = unsafe { Box::from_raw(Box::into_raw(context).cast::<vpx_codec_ctx_t>()) };
        Ok(Self { context })
    }
}

impl Decoder for Vpx {
    fn decode(&mut self, data: &[u8], look: &mut dyn FnMut(&Luma<'_>)) -> Result<(), DecodeError> {
        let failed = |reason: &str| DecodeError::Data {
            codec: Codec::Vp8,
            reason: reason.to_owned(),
        };
        let length = u32::try_from(data.len()).map_err(|_| failed("a frame of more than 4 GB"))?;
        // SAFETY: the context was initialised in `new`; `data` is readable for `length` bytes during the call
        // and libvpx keeps no pointer to it afterwards.
        let status =
            unsafe { vpx_codec_decode(&mut *self.context, data.as_ptr(), length, ptr::null_mut(), 0) };
        if status != VPX_CODEC_OK {
            return Err(failed(&describe(status)));
        }
        let mut iterator = ptr::null();
        // SAFETY: context as above; `iterator` starts as null, as the function asks for. The image it returns
        // is null or valid up to the next call on this context, and is not used after this function.
        let Some(image) = (unsafe { vpx_codec_get_frame(&mut *self.context, &mut iterator).as_ref() }) else {
            return Ok(());
        };
        let (width, height) = (image.d_w as usize, image.d_h as usize);
        let stride =
            usize::try_from(image.stride[0]).map_err(|_| failed("a picture with lines upside down"))?;
        if width == 0 || height == 0 || stride < width || image.planes[0].is_null() {
            return Err(failed("a picture without samples"));
        }
        // SAFETY: the Y plane has `height` lines, `stride` bytes apart, of at least `width` bytes each, and
        // stays unchanged up to the next call on this context, after `look` has returned.
        let samples = unsafe { std::slice::from_raw_parts(image.planes[0], stride * (height - 1) + width) };
        look(&Luma {
            samples,
            stride,
            width,
            height,
        });
        Ok(())
    }
}

impl Drop for Vpx {
    fn drop(&mut self) {
        // SAFETY: the context was initialised in `new` and is destroyed only here.
        unsafe {
            vpx_codec_destroy(&mut *self.context);
        }
    }
}

/// libvpx's words for a status.
fn describe(status: vpx_codec_err_t) -> String {
    // SAFETY: the function returns a static string for every status.
    let words = unsafe { CStr::from_ptr(vpx_codec_err_to_string(status)) };
    words.to_string_lossy().into_owned()
}
