//! Messages: whatever comes, what is read and written is read the same again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pinhole_signaling::Message;

fuzz_target!(|bytes: &[u8]| {
    match Message::parse(bytes) {
        Ok(message) => {
            let again = Message::parse(&message.to_body()).expect("what we write can be read");
            assert_eq!(message, again);
        }
        // An error goes into a log: it must stay short.
        Err(error) => assert!(error.to_string().len() < 500),
    }
});
