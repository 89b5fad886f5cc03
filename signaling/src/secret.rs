//! Numbers that nobody can guess, by which two programs know what they mean.

use std::fmt;

/// Characters of one, written down.
const DIGITS: usize = 32;

/// What a member shows with each of its requests, so that the server knows it whatever address it comes from, and nobody else
/// is taken for it. An addition of Pinhole ([`crate::http::MEMBER_KEY`]): who has none is known by its address.
///
/// It is no authentication: a member chooses its own. It goes over the network like everything else.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct MemberKey(Secret);

/// What names one call between two programs, chosen by who calls. An addition of Pinhole: what is said of a call that is over
/// is told by it from what is said of the present one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CallTag(Secret);

/// Compared without regard to where two differ, so that how long it takes tells nothing.
#[derive(Clone, Copy)]
struct Secret([u8; DIGITS / 2]);

/// Why a text is no [`MemberKey`] or [`CallTag`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it has to be {DIGITS} hexadecimal digits in lower case")]
pub struct SecretError;

macro_rules! secret {
    ($name:ident) => {
        impl $name {
            /// One that nobody has had before. `None` where the system gives no random numbers.
            pub fn random() -> Option<$name> {
                let mut bytes = [0; DIGITS / 2];
                getrandom::fill(&mut bytes).ok()?;
                Some($name(Secret(bytes)))
            }

            /// Reads what [`fmt::Display`] writes.
            ///
            /// # Errors
            /// It is something else.
            pub fn parse(text: &[u8]) -> Result<$name, SecretError> {
                Secret::parse(text).map($name).ok_or(SecretError)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        /// It must not slip into a log.
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    };
}

secret!(MemberKey);
secret!(CallTag);

impl Secret {
    fn parse(text: &[u8]) -> Option<Secret> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        let text: &[u8; DIGITS] = text.try_into().ok()?;
        let mut bytes = [0; DIGITS / 2];
        for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(Secret(bytes))
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Secret) -> bool {
        subtle::ConstantTimeEq::ct_eq(&self.0[..], &other.0[..]).into()
    }
}

impl Eq for Secret {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_the_same_and_no_two_are_alike() {
        let (one, other) = (CallTag::random().unwrap(), CallTag::random().unwrap());
        assert_ne!(one, other);
        assert_eq!(CallTag::parse(one.to_string().as_bytes()), Ok(one));
        let key = MemberKey::parse(b"00112233445566778899aabbccddeeff").unwrap();
        assert_eq!(key.to_string(), "00112233445566778899aabbccddeeff");
        assert_eq!(format!("{key:?}"), "MemberKey(…)");
    }

    #[test]
    fn anything_else_is_none() {
        for text in [
            &b""[..],
            b"00112233445566778899aabbccddeef",
            b"00112233445566778899aabbccddeeff0",
            b"00112233445566778899AABBCCDDEEFF",
            b"00112233445566778899aabbccddeefg",
            b"\xff0112233445566778899aabbccddeeff",
        ] {
            assert_eq!(MemberKey::parse(text), Err(SecretError), "{text:?}");
        }
    }
}
