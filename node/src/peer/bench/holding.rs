//! What a session holds of the pictures that went through it. Payloads are shared and not copied, so whoever still has one can be counted.

use bytes::Bytes;

/// Payloads that were given to a session.
#[derive(Default)]
pub(super) struct Holding {
    followed: Vec<Bytes>,
    most: usize,
}

impl Holding {
    /// Follows the payloads of a picture.
    pub(super) fn follow(&mut self, payloads: &[Bytes]) {
        self.most = self.most.max(self.count());
        self.followed.extend_from_slice(payloads);
    }

    /// Those that somebody still holds, besides us.
    pub(super) fn count(&mut self) -> usize {
        self.followed.retain(|payload| !payload.is_unique());
        self.followed.len()
    }

    /// The most that were held at any time.
    pub(super) fn most(&self) -> usize {
        self.most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_lets_go_is_not_counted() {
        let mut holding = Holding::default();
        let mut payloads = vec![Bytes::from(vec![1; 10]), Bytes::from(vec![2; 10])];
        holding.follow(&payloads);
        assert_eq!(holding.count(), 2);
        payloads.pop();
        assert_eq!(holding.count(), 1);
        payloads.pop();
        assert_eq!(
            (holding.count(), holding.most()),
            (0, 0),
            "nothing was followed after the two"
        );
    }
}
