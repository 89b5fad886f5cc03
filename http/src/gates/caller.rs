use hyper::header::HeaderValue;

/// Who asks, as far as a browser tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// No browser: it names neither an origin nor a host.
    Program,
    /// No page, or one that does not want to see the answer.
    Unnamed,
    /// The server's own page.
    Own,
    /// A page from elsewhere, of this origin, that the configuration allows.
    Guest(HeaderValue),
    /// Any other page.
    Stranger,
}
