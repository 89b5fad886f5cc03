//! Descriptions of viewers, and what becomes of a session by them.

#![no_main]
#![allow(unsafe_code, reason = "libFuzzer calls this by a name of C")]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    pinhole_node::fuzz::sdp(bytes);
});
