//! libvpx's VP8 decoder, for the tests of the encoder.
#![allow(unsafe_code, reason = "libvpx has a C interface")]

use std::{mem::MaybeUninit, ptr, slice};

use vpx_sys::{
    VPX_DECODER_ABI_VERSION, vpx_codec_ctx_t, vpx_codec_dec_init_ver, vpx_codec_decode, vpx_codec_destroy,
    vpx_codec_err_t::VPX_CODEC_OK, vpx_codec_get_frame, vpx_codec_iter_t, vpx_codec_vp8_dx,
};

pub struct Decoder(Box<vpx_codec_ctx_t>);

pub struct Image {
    pub width: usize,
    pub height: usize,
    pub y: Vec<u8>,
}

impl Decoder {
    pub fn new() -> Self {
        // SAFETY: all zeros is the state of a context before its initialisation.
        let mut context = Box::new(unsafe { MaybeUninit::<vpx_codec_ctx_t>::zeroed().assume_init() });
        // SAFETY: a null configuration asks for the defaults.
        let result = unsafe {
            vpx_codec_dec_init_ver(
                &raw mut *context,
                vpx_codec_vp8_dx(),
                ptr::null(),
                0,
                VPX_DECODER_ABI_VERSION.cast_signed(),
            )
        };
        assert_eq!(result, VPX_CODEC_OK);
        Self(context)
    }

    pub fn decode(&mut self, data: &[u8]) -> Image {
        let length = data.len().try_into().unwrap();
        // SAFETY: the context is initialised and the data borrowed for the call.
        let result = unsafe { vpx_codec_decode(&raw mut *self.0, data.as_ptr(), length, ptr::null_mut(), 0) };
        assert_eq!(result, VPX_CODEC_OK);
        let mut iterator: vpx_codec_iter_t = ptr::null();
        // SAFETY: the context is initialised and the iterator starts as null.
        let image = unsafe { vpx_codec_get_frame(&raw mut *self.0, &raw mut iterator).as_ref() };
        let image = image.expect("a picture for every frame");
        let (width, height) = (image.d_w as usize, image.d_h as usize);
        let stride = usize::try_from(image.stride[0]).unwrap();
        // SAFETY: the plane holds `height` lines of `width` pixels `stride` bytes apart, until the next call.
        let y = unsafe { slice::from_raw_parts(image.planes[0], stride * (height - 1) + width) };
        let y = y
            .chunks(stride)
            .flat_map(|line| &line[..width])
            .copied()
            .collect();
        Image { width, height, y }
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: the context is initialised and not used again.
        unsafe { vpx_codec_destroy(&raw mut *self.0) };
    }
}
