//! What a request has to pass before anybody looks at what it wants: the host that it names, the page that it comes
//! from, and the access token.

mod caller;
mod host;
mod origin;
mod page;
mod proxy;
mod refusal;
mod token;

use std::net::IpAddr;

use hyper::Method;
use hyper::header::HeaderMap;
use pinhole_signaling::Token;

pub use caller::Caller;
pub use host::{HostName, HostNameError};
pub use origin::{AllowedOrigin, OriginError};
pub use proxy::{TrustedProxy, TrustedProxyError};
pub use refusal::Refusal;

use host::HostGate;
use page::PageGate;
use token::TokenGate;

/// Who may use a server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// What everybody has to show; without one nobody has to show anything.
    pub token: Option<Token>,
    /// Names of this machine besides those that can be nobody else's.
    pub hosts: Vec<HostName>,
    /// The pages from elsewhere that may use the server.
    pub allow_origins: Vec<AllowedOrigin>,
    /// The proxies whose word counts for whom they pass on.
    pub trusted_proxies: Vec<TrustedProxy>,
}

/// The gates of one server.
#[derive(Debug)]
pub struct Gates {
    access: Access,
    host: HostGate,
    page: PageGate,
    token: TokenGate,
}

impl Gates {
    /// `section` is where the keys `hosts`, `allow_origins` and `token_file` stand, for those who need them: "\[access\] in
    /// server.toml".
    pub fn new(access: Access, section: &'static str) -> Gates {
        Gates {
            host: HostGate::new(&access.hosts, section),
            page: PageGate::new(access.allow_origins.clone(), section),
            token: TokenGate::new(access.token.clone(), section),
            access,
        }
    }

    /// Whether they let in whom this lets in.
    pub fn are_for(&self, access: &Access) -> bool {
        self.access == *access
    }

    /// Whether a trusted proxy is at this address.
    pub fn is_proxy(&self, address: IpAddr) -> bool {
        proxy::is_trusted(&self.access.trusted_proxies, address)
    }

    /// Who sent a request that came from this address.
    pub fn client(&self, from: IpAddr, headers: &HeaderMap) -> IpAddr {
        proxy::client(&self.access.trusted_proxies, from, headers)
    }

    /// Lets a request in, and tells who asks.
    ///
    /// `is_document`: it is for something that a link on any other page may lead to.
    ///
    /// # Errors
    /// It may not pass.
    pub fn admit(
        &self,
        method: &Method,
        headers: &HeaderMap,
        from: IpAddr,
        is_document: bool,
    ) -> Result<Caller, Refusal> {
        self.host.check(headers)?;
        let caller = self.page.caller(headers, is_document)?;
        // Before a request with a token a browser asks without it whether it may send one (CORS preflight). The answer
        // tells nothing but that.
        if *method == Method::OPTIONS {
            return Ok(caller);
        }
        match self.token.check(headers, from, &caller) {
            None => Ok(caller),
            Some(refusal) => Err(Refusal { caller, ..refusal }),
        }
    }

    /// Who may show this server's pages in a frame, as sources of the directive `frame-ancestors` (Content Security
    /// Policy Level 3, 6.4.2): `own`, and the pages that may use it.
    pub fn frame_ancestors(&self, own: &str) -> String {
        self.page.frame_ancestors(own)
    }
}
