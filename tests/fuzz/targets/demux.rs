//! What anybody may send to the node's port while a call is in progress.

#![no_main]
#![allow(unsafe_code, reason = "libFuzzer calls this by a name of C")]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    pinhole_node::fuzz::demux(bytes);
});
