//! The server's configuration.

#![no_main]
#![allow(unsafe_code, reason = "libFuzzer calls this by a name of C")]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    pinhole_server::fuzz::config(bytes);
});
