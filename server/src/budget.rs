//! The memory that is held for others: one budget for the whole server, of which one client gets a share at most.
//!
//! What is about to be held is reserved first, and whoever holds it holds the [`Reservation`] as well: bodies on their way in,
//! messages that wait, members, and answers that nobody has read yet. The pages of the viewer and the buffers of a connection are not
//! among it; those are bounded by the number of connections.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;

/// Who counts as one client: an address, of IPv6 its network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Source(pub IpAddr);

/// How large a budget is, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// For all.
    pub whole: usize,
    /// For one client.
    pub share: usize,
}

/// The budget, shared by all who spend it.
#[derive(Debug, Clone)]
pub struct Budget(Arc<Ledger>);

/// What one client spends of the budget.
#[derive(Debug, Clone)]
pub struct Account(Arc<Entry>);

/// Bytes that are reserved, until it is dropped.
#[derive(Debug)]
pub struct Reservation {
    account: Account,
    bytes: usize,
}

/// Why there is no memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Spent {
    /// All of it is held.
    #[error("the whole memory for messages is in use")]
    Whole,
    /// The client holds as much as one may.
    #[error("one client's share of the memory for messages is in use")]
    Share,
}

#[derive(Debug)]
struct Ledger {
    whole: AtomicUsize,
    share: AtomicUsize,
    held: AtomicUsize,
    accounts: Mutex<Accounts>,
}

#[derive(Debug, Default)]
struct Accounts {
    of: HashMap<Source, Weak<Entry>>,
    /// With so many of them those that are closed are swept out.
    sweep_at: usize,
}

#[derive(Debug)]
struct Entry {
    ledger: Arc<Ledger>,
    held: AtomicUsize,
}

impl Budget {
    /// A budget of which nothing is held.
    pub fn new(size: Size) -> Budget {
        Budget(Arc::new(Ledger {
            whole: AtomicUsize::new(size.whole),
            share: AtomicUsize::new(size.share),
            held: AtomicUsize::new(0),
            accounts: Mutex::default(),
        }))
    }

    /// Another size from now on. What is held stays.
    pub fn resize(&self, size: Size) {
        self.0.whole.store(size.whole, Ordering::Relaxed);
        self.0.share.store(size.share, Ordering::Relaxed);
    }

    /// The account of a client; the same for all who ask while somebody has it.
    pub fn account(&self, of: Source) -> Account {
        let mut accounts = self.0.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = accounts.of.get(&of).and_then(Weak::upgrade) {
            return Account(entry);
        }
        if accounts.of.len() >= accounts.sweep_at {
            accounts.of.retain(|_, entry| entry.strong_count() > 0);
            accounts.of.shrink_to(64);
            accounts.sweep_at = (2 * accounts.of.len()).max(64);
        }
        let entry = Arc::new(Entry {
            ledger: self.0.clone(),
            held: AtomicUsize::new(0),
        });
        accounts.of.insert(of, Arc::downgrade(&entry));
        Account(entry)
    }

    /// How many bytes are held.
    pub fn held(&self) -> usize {
        self.0.held.load(Ordering::Relaxed)
    }
}

impl Account {
    /// Reserves bytes.
    ///
    /// # Errors
    /// There are not as many left.
    pub fn reserve(&self, bytes: usize) -> Result<Reservation, Spent> {
        let mut reservation = Reservation {
            account: self.clone(),
            bytes: 0,
        };
        reservation.grow(bytes)?;
        Ok(reservation)
    }
}

impl Reservation {
    /// Reserves more.
    ///
    /// # Errors
    /// There are not as many left; what it has it keeps.
    pub fn grow(&mut self, bytes: usize) -> Result<(), Spent> {
        let entry = &*self.account.0;
        let ledger = &*entry.ledger;
        add(&entry.held, bytes, &ledger.share).ok_or(Spent::Share)?;
        if add(&ledger.held, bytes, &ledger.whole).is_none() {
            entry.held.fetch_sub(bytes, Ordering::Relaxed);
            return Err(Spent::Whole);
        }
        self.bytes += bytes;
        Ok(())
    }

    /// The bytes, with the reservation for as long as anybody has any part of them.
    pub fn hold(self, bytes: Vec<u8>) -> Bytes {
        Bytes::from_owner(Held {
            bytes,
            _reservation: self,
        })
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let entry = &*self.account.0;
        entry.held.fetch_sub(self.bytes, Ordering::Relaxed);
        entry.ledger.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

struct Held {
    bytes: Vec<u8>,
    _reservation: Reservation,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Adds, unless that would be more than the most. Each number is exact by itself, and nothing else is read by it, so the order in
/// which others see them does not matter.
fn add(held: &AtomicUsize, bytes: usize, most: &AtomicUsize) -> Option<()> {
    let most = most.load(Ordering::Relaxed);
    let sum = |held: usize| held.checked_add(bytes).filter(|&sum| sum <= most);
    held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, sum)
        .ok()
        .map(drop)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn budget() -> Budget {
        Budget::new(Size {
            whole: 100,
            share: 40,
        })
    }

    fn source(number: u32) -> Source {
        Source(Ipv4Addr::from_bits(number).into())
    }

    #[test]
    fn one_client_gets_its_share_and_all_get_the_whole() {
        let budget = budget();
        let [one, two, three] = [1, 2, 3].map(|number| budget.account(source(number)));
        let held = one.reserve(40).unwrap();
        assert_eq!(one.reserve(1).unwrap_err(), Spent::Share);
        assert_eq!(budget.account(source(1)).reserve(1).unwrap_err(), Spent::Share);
        let _two = two.reserve(40).unwrap();
        assert_eq!(three.reserve(21).unwrap_err(), Spent::Whole);
        let _three = three.reserve(20).unwrap();
        drop(held);
        assert_eq!(budget.held(), 60);
        assert!(two.reserve(1).is_err() && one.reserve(40).is_ok());
    }

    #[test]
    fn a_reservation_that_can_not_grow_keeps_what_it_has() {
        let budget = budget();
        let mut reservation = budget.account(source(1)).reserve(30).unwrap();
        assert_eq!(reservation.grow(11), Err(Spent::Share));
        assert_eq!(reservation.grow(usize::MAX), Err(Spent::Share));
        reservation.grow(10).unwrap();
        assert_eq!(budget.held(), 40);
        drop(reservation);
        assert_eq!(budget.held(), 0);
    }

    #[test]
    fn held_bytes_count_until_nobody_has_any_of_them() {
        let budget = budget();
        let account = budget.account(source(1));
        let all = account.reserve(7).unwrap().hold(b"message".to_vec());
        let part = all.slice(..2);
        drop((all, account));
        assert_eq!((part.as_ref(), budget.held()), (&b"me"[..], 7));
        drop(part);
        assert_eq!(budget.held(), 0);
    }

    #[test]
    fn a_smaller_budget_takes_nothing_away() {
        let budget = budget();
        let account = budget.account(source(1));
        let held = account.reserve(40).unwrap();
        budget.resize(Size { whole: 10, share: 5 });
        assert_eq!(account.reserve(1).unwrap_err(), Spent::Share);
        drop(held);
        assert!(account.reserve(5).is_ok());
    }

    #[test]
    fn clients_that_are_gone_leave_no_account() {
        let budget = budget();
        let first = budget.account(source(0)).reserve(40).unwrap();
        for number in 1..100_000 {
            budget.account(source(number)).reserve(1).unwrap();
        }
        assert!(budget.0.accounts.lock().unwrap().of.len() <= 128);
        assert_eq!(budget.account(source(0)).reserve(1).unwrap_err(), Spent::Share);
        drop(first);
    }
}
