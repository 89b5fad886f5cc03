use std::future::Future;

use crate::{Answer, Gates, Limits, Refusal, Request};

/// What is served: from a request to its answer.
pub trait Site: Clone + Send + Sync + 'static {
    /// Whether header names are written as `Content-Length`, for clients that compare them byte by byte; otherwise they are
    /// in lower case.
    const TITLE_CASE: bool;

    /// What whoever connects is told while all places are taken; the key that gives more of them, where there is one.
    const FULL: &'static str;

    /// The same while all places of one client are taken.
    const FULL_FOR_ONE: &'static str;

    /// What a request has to pass before [`Site::answer`] sees it.
    fn gates(&self) -> &Gates;

    /// Whether a link on any other page may lead here: looking at it changes nothing.
    fn is_document(&self, path: &str) -> bool;

    /// The answer to a request that has passed the gates. If the client goes away meanwhile, the future is dropped.
    fn answer(&self, request: Request) -> impl Future<Output = Answer> + Send;

    /// A refusal, in the look of this site's answers.
    fn refuse(&self, refusal: Refusal) -> Answer;
}

/// What a listener goes by. Another one counts for the connections that come after it.
#[derive(Clone, Copy, Debug)]
pub struct Settings<S> {
    /// What is served.
    pub site: S,
    /// Within which bounds.
    pub limits: Limits,
}
