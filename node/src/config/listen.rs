use std::{fmt, net::SocketAddr, str::FromStr};

use serde::{
    Deserialize, Deserializer,
    de::{self, Visitor},
};

/// Where something listens, or that it does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listen {
    /// Nowhere.
    Off,
    /// At this address and port.
    At(SocketAddr),
}

/// What is wrong with it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no address to listen on; write ADDRESS:PORT as \"127.0.0.1:8889\", \"[::]:8889\" for everybody in the network, or \"off\""
)]
pub struct ListenError(String);

impl FromStr for Listen {
    type Err = ListenError;

    fn from_str(written: &str) -> Result<Self, Self::Err> {
        match written.trim() {
            "off" => Ok(Listen::Off),
            address => address
                .parse()
                .map(Listen::At)
                .map_err(|_| ListenError(written.to_owned())),
        }
    }
}

impl<'de> Deserialize<'de> for Listen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;

        impl Visitor<'_> for Written {
            type Value = Listen;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("ADDRESS:PORT as \"127.0.0.1:8889\", or \"off\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Listen, E> {
                text.parse().map_err(E::custom)
            }

            // Whoever writes a port alone is to say for whom: the page has the viewers' names.
            fn visit_i64<E: de::Error>(self, port: i64) -> Result<Listen, E> {
                Err(E::custom(ListenError(port.to_string())))
            }
        }

        deserializer.deserialize_any(Written)
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Listen::Off => f.write_str("off"),
            Listen::At(address) => address.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_or_off_is_read_and_nothing_else() {
        assert_eq!("off".parse(), Ok(Listen::Off));
        for address in ["127.0.0.1:8889", "[::]:1", "0.0.0.0:0"] {
            assert_eq!(address.parse::<Listen>().expect(address).to_string(), address);
        }
        for wrong in [
            "",
            "Off",
            "8889",
            ":8889",
            "localhost:8889",
            "127.0.0.1",
            "::1:8889",
            "127.0.0.1:99999",
        ] {
            let error = wrong.parse::<Listen>().expect_err(wrong).to_string();
            assert!(error.contains("\"off\""), "{error}");
        }
    }
}
