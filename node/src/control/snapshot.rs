//! Pictures as files, cut into messages.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;

use super::{
    ClientId, Outlet,
    protocol::{RequestId, Said},
};
use crate::media::Timestamp;

/// The largest picture that is sent, in bytes.
pub const LARGEST: usize = 2 * 1024 * 1024;
/// The bytes of one part: as text, and with what stands around it, less than [`super::LONGEST`].
const PART: usize = 9 * 1024;

/// A picture as a JPEG.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jpeg {
    /// The file.
    pub data: Bytes,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// When the picture was captured.
    pub captured_at: Timestamp,
}

/// Pictures on their way, one a client, each part when there is room for it.
#[derive(Default)]
pub(super) struct Transfers(BTreeMap<ClientId, Transfer>);

struct Transfer {
    jpeg: Jpeg,
    /// What stands before the first part, until it is said.
    head: Option<Option<RequestId>>,
    next: usize,
}

impl Transfers {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn begin(&mut self, client: ClientId, id: Option<RequestId>, jpeg: Jpeg) {
        let transfer = Transfer {
            jpeg,
            head: Some(id),
            next: 0,
        };
        self.0.insert(client, transfer);
    }

    pub(super) fn forget(&mut self, client: ClientId) {
        self.0.remove(&client);
    }

    /// Nothing more of any picture is said.
    pub(super) fn end(&mut self) {
        self.0.clear();
    }

    /// Says as much as there is room for, and gives those clients that have got all.
    pub(super) fn go_on<'a>(
        &mut self,
        outlet_of: impl Fn(ClientId) -> Option<&'a dyn Outlet>,
    ) -> Vec<ClientId> {
        let mut over = Vec::new();
        for (client, transfer) in &mut self.0 {
            match outlet_of(*client) {
                Some(outlet) if !transfer.go_on(outlet) => {}
                _ => over.push(*client),
            }
        }
        for client in &over {
            self.0.remove(client);
        }
        over
    }
}

impl Transfer {
    /// Whether that was all.
    fn go_on(&mut self, outlet: &dyn Outlet) -> bool {
        let parts = self.jpeg.data.len().div_ceil(PART);
        while outlet.has_room() {
            let said = if let Some(id) = &self.head {
                Said::Snapshot {
                    id: id.clone(),
                    width: self.jpeg.width,
                    height: self.jpeg.height,
                    size: self.jpeg.data.len(),
                    parts,
                }
            } else if self.next < parts {
                let start = self.next * PART;
                let end = (start + PART).min(self.jpeg.data.len());
                Said::Part {
                    number: self.next,
                    data: STANDARD.encode(&self.jpeg.data[start..end]),
                }
            } else {
                return true;
            };
            if outlet.say(said.text()).is_err() {
                return false;
            }
            if self.head.take().is_none() {
                self.next += 1;
            }
        }
        self.head.is_none() && self.next >= parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::{Behind, LONGEST};
    use std::sync::{Arc, Mutex};

    /// Takes so many messages until it is emptied.
    struct Slow(Arc<Mutex<Vec<String>>>, usize);

    impl Outlet for Slow {
        fn say(&self, text: String) -> Result<(), Behind> {
            self.0.lock().expect("no panic").push(text);
            Ok(())
        }

        fn has_room(&self) -> bool {
            self.0.lock().expect("no panic").len() < self.1
        }

        fn is_gone(&self) -> bool {
            false
        }
    }

    #[test]
    fn a_picture_comes_in_parts_as_fast_as_it_is_taken() {
        let data: Vec<u8> = (0..100_000u32).map(|number| (number % 251) as u8).collect();
        let jpeg = Jpeg {
            data: data.clone().into(),
            width: 640,
            height: 480,
            captured_at: Timestamp::now(),
        };
        let queue = Arc::<Mutex<Vec<String>>>::default();
        let outlet = Slow(queue.clone(), 3);
        let mut transfers = Transfers::default();
        transfers.begin(ClientId(1), Some(RequestId::Number(5)), jpeg);
        let mut got = Vec::new();
        let mut rounds = 0;
        while !transfers.is_empty() {
            transfers.go_on(|_| Some(&outlet));
            let mut queue = queue.lock().expect("no panic");
            assert!(queue.len() <= 3);
            got.append(&mut queue);
            rounds += 1;
        }
        assert!(rounds >= 4, "{rounds}");
        assert!(got.iter().all(|text| text.len() <= LONGEST));
        let said: Vec<serde_json::Value> = got
            .iter()
            .map(|text| serde_json::from_str(text).expect("JSON"))
            .collect();
        assert_eq!(
            (&said[0]["type"], &said[0]["id"], &said[0]["size"]),
            (&"snapshot".into(), &5.into(), &100_000.into())
        );
        assert_eq!(said[0]["parts"], said.len() - 1);
        let joined: Vec<u8> = said[1..]
            .iter()
            .flat_map(|part| {
                STANDARD
                    .decode(part["data"].as_str().expect("text"))
                    .expect("base64")
            })
            .collect();
        assert_eq!(joined, data);
    }

    #[test]
    fn who_is_gone_gets_nothing_more() {
        let mut transfers = Transfers::default();
        let jpeg = Jpeg {
            data: Bytes::from_static(b"x"),
            width: 1,
            height: 1,
            captured_at: Timestamp::now(),
        };
        transfers.begin(ClientId(1), None, jpeg);
        assert_eq!(transfers.go_on(|_| None), [ClientId(1)]);
        assert!(transfers.is_empty());
    }
}
