//! JPEG of a camera or a command.

#![no_main]
#![allow(unsafe_code, reason = "libFuzzer calls this by a name of C")]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    pinhole_node::fuzz::jpeg(bytes);
});
