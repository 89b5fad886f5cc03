//! The server's configuration: TOML, every key optional, valid by construction.

mod limit;

use std::net::{Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use pinhole_http::{AllowedOrigin, HostName, TrustedProxy};
pub use pinhole_service::config::ConfigError;
use pinhole_service::config::{Objection, Source};
use pinhole_signaling::Token;
use pinhole_signaling::http::{ABSENT, MAX_MESSAGE, MAX_ROSTER, PORT};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::budget::Size;
use crate::hub::{self, Bound, Pace};

/// All settings.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The address and port to listen on. `[::]` takes IPv4 as well; port 0 lets the system choose.
    #[serde(deserialize_with = "listen")]
    pub listen: SocketAddr,
    /// Who may use the server.
    pub access: Access,
    /// What keeps the server's use of memory and sockets within bounds.
    pub limits: Limits,
}

/// The section `[access]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Access {
    /// The file with the access token, absolute. Without one everybody may use the server.
    #[serde(deserialize_with = "pinhole_service::config::absolute")]
    pub token_file: Option<PathBuf>,
    /// What the file held when the configuration was read: another token makes another configuration.
    #[serde(skip)]
    pub token: Option<Token>,
    /// Names of this server besides those that can be nobody else's.
    pub hosts: Vec<HostName>,
    /// Pages from elsewhere that may use the server.
    pub allow_origins: Vec<AllowedOrigin>,
    /// The proxies whose word counts for whom they pass on.
    pub trusted_proxies: Vec<TrustedProxy>,
}

impl Access {
    /// What the gates are to know.
    pub fn gates(&self) -> pinhole_http::Access {
        pinhole_http::Access {
            token: self.token.clone(),
            hosts: self.hosts.clone(),
            allow_origins: self.allow_origins.clone(),
            trusted_proxies: self.trusted_proxies.clone(),
        }
    }
}

/// The section `[limits]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// The most members (nodes and viewers) at a time.
    #[serde(deserialize_with = "limit::members")]
    pub members: usize,
    /// The most connections at a time. Each member takes one while it waits, and one more to send.
    #[serde(deserialize_with = "limit::connections")]
    pub connections: usize,
    /// The most bytes of one message.
    #[serde(rename = "message_size", deserialize_with = "limit::message_size")]
    pub message_bytes: usize,
    /// The most messages that wait for one member.
    #[serde(deserialize_with = "limit::mailbox_messages")]
    pub mailbox_messages: usize,
    /// The most bytes of messages that wait for one member; at least one message of the largest size fits in any case.
    #[serde(rename = "mailbox_size", deserialize_with = "limit::mailbox_size")]
    pub mailbox_bytes: usize,
    /// The most bytes that are held for others: messages that wait or are on their way, members, and answers that nobody has
    /// read yet.
    #[serde(rename = "memory", deserialize_with = "limit::memory")]
    pub memory_bytes: usize,
    /// How much one address may have of members, connections, memory and each mailbox, in percent. Some of each it may have in
    /// any case.
    #[serde(deserialize_with = "limit::address_share")]
    pub address_share: usize,
    /// How long a request may take to arrive.
    #[serde(deserialize_with = "limit::request_timeout")]
    pub request_timeout: Duration,
}

/// One address may have so many members in any case, if there may be so many.
const LEAST_MEMBERS: usize = 16;
/// So many messages of one address may wait for a member in any case: a call is an offer and some dozens of candidates.
const LEAST_MESSAGES: usize = 64;
/// So many may sign in at once in any case, as the nodes behind one address do after a power cut.
const AT_ONCE: u32 = 100;
/// After that an address may sign in this often. Each time every other member is told.
const SIGN_IN_EVERY: Duration = Duration::from_millis(200);
/// Every client waits as soon as it is signed in. On a bad network it may have to connect for it a few times.
const FIRST_WAIT: Duration = Duration::from_secs(10);
/// The bytes of a name as people give them.
const USUAL_NAME: usize = 24;
/// What a client needs of the memory besides its messages.
const MARGIN: usize = 64 * 1024;

impl Default for Config {
    fn default() -> Config {
        Config {
            listen: SocketAddr::from((Ipv6Addr::UNSPECIFIED, PORT)),
            access: Access::default(),
            limits: Limits::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            members: 1000,
            connections: 2500,
            message_bytes: MAX_MESSAGE,
            mailbox_messages: 1024,
            mailbox_bytes: 1 << 20,
            memory_bytes: 16 << 20,
            address_share: 25,
            request_timeout: Duration::from_secs(10),
        }
    }
}

impl Config {
    /// Reads a file, and the access token that it names.
    ///
    /// # Errors
    /// One of the two can't be read or is not valid. All mistakes are told, in the order of the file.
    pub fn read(path: &Path) -> Result<Config, ConfigError> {
        let source = Source::of_file(path)?;
        let mut reading = source.read::<Config>();
        if let Some(config) = &mut reading.value {
            let file = config.access.token_file.as_deref();
            match file.map(Token::read).transpose() {
                Ok(token) => config.access.token = token,
                Err(cause) => {
                    let key = "access.token_file";
                    reading.object([Objection::new(key, format!("{key}: {cause}"))]);
                }
            }
        }
        reading.finish()
    }

    /// [`Config::read`], where there may be no file: then all keys have their defaults.
    ///
    /// # Errors
    /// The file is there, and can't be read or is not valid.
    pub fn read_or_default(path: &Path) -> Result<Config, ConfigError> {
        pinhole_service::config::or_default(Config::read(path))
    }

    /// What [`Config::read`] makes of a text that is that of `path`, but for the token, which stands in another file.
    ///
    /// # Errors
    /// It is not valid.
    pub fn parse(text: &str, path: &Path) -> Result<Config, ConfigError> {
        pinhole_service::config::parse(text, path)
    }

    /// What the hub is to keep to.
    pub fn hub_limits(&self) -> hub::Limits {
        let members = Bound {
            all: self.limits.members,
            each: self.share(self.limits.members, LEAST_MEMBERS),
        };
        hub::Limits {
            members,
            roster_bytes: MAX_ROSTER,
            mailbox_messages: Bound {
                all: self.limits.mailbox_messages,
                each: self.share(self.limits.mailbox_messages, LEAST_MESSAGES),
            },
            mailbox_bytes: Bound {
                all: self.mailbox_bytes(),
                // Two messages of the largest size, as of somebody who calls with one and is not answered yet.
                each: self.share(self.mailbox_bytes(), 2 * self.limits.message_bytes + MARGIN),
            },
            sign_ins: Pace {
                at_once: members.each.try_into().unwrap_or(u32::MAX).max(AT_ONCE),
                every: SIGN_IN_EVERY,
            },
            absent: ABSENT,
            first_wait: FIRST_WAIT,
            // Whoever has the token is trusted with all.
            is_bound: self.access.token.is_none(),
        }
    }

    /// What one address may have of something, and at least as much as this if there is so much.
    pub(crate) fn share(&self, all: usize, least: usize) -> usize {
        // On a 32-bit board a hundred times the memory is more than a word holds.
        let share = (all as u64 * self.limits.address_share as u64).div_ceil(100);
        usize::try_from(share).unwrap_or(all).max(least.min(all))
    }

    /// About how many members the memory and a roster are enough for, if half of the memory is left for what they say.
    pub fn members_that_fit(&self) -> usize {
        let by_memory = self.memory().whole / 2 / self.hub_limits().cost_of_member(USUAL_NAME);
        by_memory.min(MAX_ROSTER / (USUAL_NAME + ",1000000,1\n".len()))
    }

    /// What may be held for others.
    pub fn memory(&self) -> Size {
        let least = self.mailbox_bytes() + MARGIN;
        let share = self.share(self.limits.memory_bytes, least).max(least);
        Size {
            whole: self.limits.memory_bytes.max(share),
            share,
        }
    }

    /// One message of the largest size fits.
    fn mailbox_bytes(&self) -> usize {
        self.limits.mailbox_bytes.max(self.limits.message_bytes + 1024)
    }
}

/// What is wrong with the address to listen on.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no address to listen on; write ADDRESS:PORT as \"127.0.0.1:8888\" or \"[::]:8888\", or a port alone, which is that port on \
     all addresses"
)]
pub struct NoAddress(String);

/// Where to listen, as people write it: `ADDRESS:PORT`, or a port with or without its colon, which is meant on all addresses.
///
/// # Errors
/// It is neither.
pub fn listen_address(written: &str) -> Result<SocketAddr, NoAddress> {
    let text = written.trim();
    let port = text.strip_prefix(':').unwrap_or(text);
    // As numbers are written: `+8888` would be one as well.
    let is_number = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let address = if is_number {
        port.parse()
            .ok()
            .map(|port: u16| SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)))
    } else {
        text.parse().ok()
    };
    address.ok_or_else(|| NoAddress(written.to_owned()))
}

fn listen<'de, D: Deserializer<'de>>(from: D) -> Result<SocketAddr, D::Error> {
    let written = Address::deserialize(from)?;
    let written = match written {
        Address::Text(text) => text,
        Address::Port(port) => port.to_string(),
    };
    listen_address(&written).map_err(D::Error::custom)
}

/// Where to listen, as it stands in the file.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "`listen` is an address with its port, as \"[::]:8888\", or a port alone"
)]
enum Address {
    Text(String),
    Port(i64),
}

#[cfg(test)]
mod tests;
