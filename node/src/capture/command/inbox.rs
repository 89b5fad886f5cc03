use std::{
    io::{self, Read},
    ops::Range,
};

/// Bytes that were read and not used yet, in one piece. They are moved only when there is no room behind them, which means a part
/// of a frame at most.
pub(super) struct Inbox {
    buffer: Vec<u8>,
    used: Range<usize>,
}

impl Inbox {
    /// Room for `capacity` bytes to begin with.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            buffer: vec![0; capacity],
            used: 0..0,
        }
    }

    /// What is there.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[self.used.clone()]
    }

    /// Whether so many bytes fit without moving any.
    pub(super) fn has_room(&self, count: usize) -> bool {
        self.buffer.len() - self.used.end >= count
    }

    /// Forgets the first so many.
    pub(super) fn consume(&mut self, count: usize) {
        self.used.start = (self.used.start + count).min(self.used.end);
        if self.used.is_empty() {
            self.used = 0..0;
        }
    }

    /// Reads once, at most `count` bytes, and tells how many came. Makes room where there is none.
    pub(super) fn read(&mut self, source: &mut impl Read, count: usize) -> io::Result<usize> {
        if !self.has_room(count) {
            self.buffer.copy_within(self.used.clone(), 0);
            self.used = 0..self.used.len();
        }
        if !self.has_room(count) {
            let needed = self.used.end + count;
            self.buffer.resize(needed.max(2 * self.buffer.len()), 0);
        }
        let read = source.read(&mut self.buffer[self.used.end..][..count])?;
        self.used.end += read;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out_in_order_however_it_is_read() {
        let all: Vec<u8> = (0..200).collect();
        for (capacity, count) in [(1, 1), (8, 5), (16, 16), (300, 300)] {
            let (mut source, mut inbox, mut seen) = (all.as_slice(), Inbox::new(capacity), Vec::new());
            while inbox.read(&mut source, count).unwrap() > 0 {
                let some = inbox.bytes().len().div_ceil(2);
                seen.extend_from_slice(&inbox.bytes()[..some]);
                inbox.consume(some);
            }
            seen.extend_from_slice(inbox.bytes());
            assert_eq!(seen, all, "{capacity} {count}");
            inbox.consume(usize::MAX / 2);
            assert!(inbox.bytes().is_empty());
        }
    }
}
