//! What the budget counts is at least what the allocator gives.

#![allow(unsafe_code, reason = "an allocator that counts is an unsafe trait")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod room;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use pinhole_server::budget::{Account, Budget, Size};
use pinhole_server::hub::{Answer, Command, Hub, Input, Limits, Parcel, RequestId};
use pinhole_signaling::PeerId;
use room::source;

struct Counting;

static GIVEN: AtomicUsize = AtomicUsize::new(0);

/// What glibc takes for a block: a header of a word, and multiples of 16 bytes.
fn block(size: usize) -> usize {
    (size + 8).next_multiple_of(16).max(32)
}

// SAFETY: the system's allocator does all of the work.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        GIVEN.fetch_add(block(layout.size()), Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        GIVEN.fetch_sub(block(layout.size()), Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct World {
    hub: Hub,
    budget: Budget,
    account: Account,
    now: Instant,
    requests: u64,
}

impl World {
    fn new() -> World {
        let budget = Budget::new(Size {
            whole: 1 << 30,
            share: 1 << 30,
        });
        let limits = Limits {
            members: room::bound(1000),
            mailbox_messages: room::bound(100_000),
            mailbox_bytes: room::bound(1 << 30),
            ..room::limits()
        };
        World {
            hub: Hub::new(limits, budget.clone()),
            account: budget.account(source()),
            budget,
            now: Instant::now(),
            requests: 0,
        }
    }

    fn request(&mut self) -> RequestId {
        self.requests += 1;
        RequestId(self.requests)
    }

    /// Signs in; the roster is read at once. With a wait, which stays open.
    fn sign_in(&mut self, name: &str, waits: bool) -> PeerId {
        let request = self.request();
        let (name, client) = (name.into(), source().into());
        let mut commands = self.hub.handle(
            Input::SignIn {
                request,
                name,
                client,
            },
            self.now,
        );
        let Some(Command::Answer {
            answer: Answer::SignedIn { id, .. },
            ..
        }) = commands.pop()
        else {
            panic!("{commands:?}");
        };
        if waits {
            let request = self.request();
            self.hub.handle(Input::Wait { request, id, client }, self.now);
        }
        id
    }

    fn send(&mut self, from: PeerId, to: PeerId, size: usize) {
        let request = self.request();
        let of_type = self.account.reserve(Parcel::OVERHEAD + 10).unwrap();
        let of_body = self.account.reserve(size).unwrap();
        let parcel = Parcel {
            content_type: of_type.hold(b"text/plain".to_vec()),
            body: of_body.hold(vec![b'x'; size]),
        };
        let input = Input::Send {
            request,
            from,
            to,
            parcel,
            client: source().into(),
        };
        self.hub.handle(input, self.now);
    }

    /// What doing this takes by the budget, and by the allocator.
    fn costs(&mut self, what: impl FnOnce(&mut World)) -> (usize, usize) {
        let (held, given) = (self.budget.held(), GIVEN.load(Ordering::Relaxed));
        what(self);
        (self.budget.held() - held, GIVEN.load(Ordering::Relaxed) - given)
    }
}

/// One test, for the allocator counts for all threads.
#[test]
fn members_and_messages_cost_no_more_than_is_counted() {
    for count in [33, 500] {
        for (name, waits) in [("x", false), ("x", true), (&"x".repeat(512), true)] {
            let mut world = World::new();
            let (counted, given) = world.costs(|world| {
                for _ in 0..count {
                    world.sign_in(name, waits);
                }
            });
            assert!(given <= counted, "{count} members: {given} of {counted} bytes");
            assert!(counted < 4 * given, "{count} members: {given} of {counted} bytes");
        }
        for size in [1, 1000, 20_000] {
            let mut world = World::new();
            let (from, to) = (world.sign_in("a", false), world.sign_in("b", false));
            let (counted, given) = world.costs(|world| {
                for _ in 0..count {
                    world.send(from, to, size);
                }
            });
            assert!(given <= counted, "{count} messages: {given} of {counted} bytes");
            assert!(
                counted < 4 * given,
                "{count} messages: {given} of {counted} bytes"
            );
        }
    }
}
