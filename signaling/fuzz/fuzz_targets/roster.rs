//! Entries: whatever comes, what is read and written is read the same again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pinhole_signaling::{Member, Name, roster};

fuzz_target!(|bytes: &[u8]| {
    let members: Vec<Member> = roster::parse(bytes).filter_map(Result::ok).collect();
    let written = roster::write(&members);
    let again: Vec<Member> = roster::parse(&written)
        .map(|entry| entry.expect("what we write can be read"))
        .collect();
    assert_eq!(members, again);

    if let Ok(member) = Member::parse(bytes) {
        assert_eq!(Member::parse(&member.to_entry()), Ok(member));
    }

    let name = Name::from_query(bytes);
    assert!(name.as_bytes().len() <= Name::MAX);
    assert_eq!(Name::from_query(name.to_query().as_bytes()), name);
    assert_eq!(Name::new(name.as_bytes()), name);
});
