//! Many short sessions in which everything happens that touches what packets are sealed with: ICE begins anew, at the same address and at
//! another; sections are switched off and on and added; packets get lost, come twice, out of their order and too late, and are asked for
//! again; numbers begin anew. No nonce may be used for two packets, and none of them may be one that the viewer can't decrypt. A session that
//! goes wrong is named by its seed.
//!
//! | variable | what it says | without |
//! |---|---|---|
//! | `PINHOLE_SESSIONS` | how many sessions | 200 |
//! | `PINHOLE_SESSIONS_SEED` | the seed of the first | 0 |

mod course;

use std::{fmt, time::Duration};

use rand::{Rng, rngs::StdRng};
use rtc::rtcp::transport_feedbacks::transport_layer_nack::{
    TransportLayerNack, nack_pairs_from_sequence_numbers,
};

use super::{
    call::Call,
    link::Datagram,
    reception::Figures,
    seeds::Seeds,
    setting::Setting,
    viewer::{Ciphers, Media, Viewer},
};
use crate::peer::session::Input;
use course::{Act, Course};

/// What a call may take until its first picture: the node's patience with a handshake.
const START: Duration = Duration::from_secs(20);
/// What a picture may take that is to go on, where nothing gets lost any more: checks of a path may be a second apart by then.
const GOES_ON: Duration = Duration::from_secs(10);
/// Pictures that may be on their way: 150 ms.
const BEHIND: u32 = 6;

/// What came of a session, and what was done in it.
#[derive(Clone, Copy, Debug, Default)]
struct Account {
    lasted: Duration,
    sent: u64,
    nonces: usize,
    /// Packets that we sealed, not the core.
    sealed: u64,
    again: u64,
    heard: usize,
    received: Figures,
    wraps: u64,
    restarts: u32,
    moves: u32,
    renegotiations: u32,
    asked: u32,
}

/// Has the session of a course, to its end.
fn session(course: Course) -> Result<Account, String> {
    let Course {
        setting,
        later,
        agrees_after,
        offers_first,
        acts,
        mut random,
    } = course;
    let mut account = Account::default();
    let mut call = Call::new(setting);
    if let Some(wait) = agrees_after {
        agree(&mut call, wait, offers_first, &mut account);
    }
    let hears = setting.microphone && setting.wants.has(Media::Sound);
    let begins = |call: &Call| {
        let viewer = &call.viewer;
        viewer.screen().shown() > 0 && (!hears || viewer.ear().heard() > 0)
    };
    if !call.run_until(START, begins) {
        return Err(format!("nothing comes within {START:?}: {:?}", call.told));
    }
    if let Some((to_viewer, to_node)) = later {
        call.to_viewer.change(|path| *path = to_viewer);
        call.to_node.change(|path| *path = to_node);
    }
    for (wait, act) in acts {
        call.run(wait);
        account.count(act);
        perform(&mut call, act, &mut random);
    }
    for link in [&mut call.to_viewer, &mut call.to_node] {
        link.change(|path| (path.loss, path.reordering) = (0.0, 0.0));
    }
    goes_on(&mut call, hears)?;
    account.take(&call);
    judge(&call, setting.ciphers, &account)?;
    Ok(account)
}

/// The viewer answers our offer of a picture after this time, and may make one of its own before.
fn agree(call: &mut Call, wait: Duration, offers_first: bool, account: &mut Account) {
    call.run(wait);
    if offers_first {
        call.offer(Viewer::restart);
        account.restarts += 1;
        call.run(wait);
    }
    let offer = call.told.offer.take().expect("video is offered");
    let answer = call.viewer.answer(offer, call.now);
    call.handle(Input::Answer(answer));
    account.renegotiations += 1;
}

fn perform(call: &mut Call, act: Act, random: &mut StdRng) {
    match act {
        Act::Restart => call.offer(Viewer::restart),
        Act::Move => call.offer(Viewer::move_on),
        Act::Switch(media) => {
            call.offer(|viewer, now| {
                let on = !viewer.wants(media);
                viewer.switch(media, on, now)
            });
        }
        Act::Ask { times } => {
            for _ in 0..times {
                ask(call, random);
            }
        }
    }
}

/// Asks for packets: some that got lost, some that did not, and some that were not sent yet.
fn ask(call: &mut Call, random: &mut StdRng) {
    let Some(media_ssrc) = call.viewer.ssrc() else {
        return;
    };
    let newest = call.viewer.reception().newest(media_ssrc).unwrap_or(0);
    let count = random.random_range(1..40);
    let mut numbers: Vec<_> = (0..count)
        .map(|_| (newest + 3).wrapping_sub(random.random_range(0..200)) as u16)
        .collect();
    numbers.sort_unstable();
    let request = TransportLayerNack {
        sender_ssrc: 7,
        media_ssrc,
        nacks: nack_pairs_from_sequence_numbers(&numbers),
    };
    call.viewer.report(vec![Box::new(request)], call.now);
    call.carry();
}

/// Everything is switched on, and has to come.
fn goes_on(call: &mut Call, hears: bool) -> Result<(), String> {
    for media in [Media::Picture, Media::Sound] {
        if !call.viewer.wants(media) {
            call.offer(|viewer, now| viewer.switch(media, true, now));
        }
    }
    let (shown, last) = (call.viewer.screen().shown(), call.viewer.ear().last());
    let is_live = |call: &Call| {
        let screen = call.viewer.screen();
        let newest = screen.last().map(|picture| picture.number);
        let is_shown = screen.shown() > shown
            && newest.is_some_and(|newest| newest + 1 + BEHIND >= call.source.pictures());
        is_shown && (!hears || call.viewer.ear().last() > last)
    };
    if call.run_until(GOES_ON, is_live) {
        return Ok(());
    }
    let what = (call.ending(), call.stage(), call.viewer.screen().shown() - shown);
    let heard = call.viewer.ear().last();
    Err(format!(
        "it does not go on: {what:?}, sound {last:?} to {heard:?}, {:?}",
        call.told
    ))
}

/// Whether all is as it has to be; that no nonce was used twice is seen to with each packet.
fn judge(call: &Call, ciphers: Ciphers, account: &Account) -> Result<(), String> {
    let wrong = if account.received.undecrypted > 0 {
        "packets could not be decrypted"
    } else if account.received.decrypted == 0 {
        "nothing was decrypted"
    } else if ciphers.is_ours() != (account.sealed > account.sent / 2) {
        "not sealed by whom it should"
    } else if !call.told.strays.is_empty() {
        "packets went to a stranger"
    } else {
        return Ok(());
    };
    Err(format!("{wrong}: {account:?}"))
}

impl Account {
    fn count(&mut self, act: Act) {
        match act {
            Act::Restart => self.restarts += 1,
            Act::Move => self.moves += 1,
            Act::Switch(_) => self.renegotiations += 1,
            Act::Ask { times } => self.asked += times,
        }
    }

    fn take(&mut self, call: &Call) {
        self.lasted = call.lasts();
        self.sent = call.sent;
        self.nonces = call.nonces.count();
        self.sealed = call.sealed;
        self.again = call.retransmitted();
        self.heard = call.viewer.ear().heard();
        self.received = call.viewer.reception().figures();
        self.wraps = call.wraps();
    }
}

/// All sessions together.
struct Sum<'a>(&'a [Account]);

impl Sum<'_> {
    fn of<N: std::iter::Sum>(&self, what: impl Fn(&Account) -> N) -> N {
        self.0.iter().map(what).sum()
    }
}

impl fmt::Display for Sum<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sessions, lasted) = (self.0.len(), self.of(|a| a.lasted));
        writeln!(f, "{sessions} sessions, {:.0} s in all:", lasted.as_secs_f64())?;
        let (restarts, moves) = (self.of(|a| a.restarts), self.of(|a| a.moves));
        let (renegotiations, asked) = (self.of(|a| a.renegotiations), self.of(|a| a.asked));
        writeln!(
            f,
            "  {restarts} ICE restarts at the same address, {moves} at another, {renegotiations} renegotiations, {asked} requests for \
             packets besides those for lost ones, in {} the numbers began anew",
            self.0.iter().filter(|a| a.wraps > 0).count()
        )?;
        let (sent, again, nonces) = (self.of(|a| a.sent), self.of(|a| a.again), self.of(|a| a.nonces));
        let (sealed, heard) = (self.of(|a| a.sealed), self.of(|a| a.heard));
        writeln!(
            f,
            "  {sent} packets sent, {sealed} of them sealed by the session, {again} of them again, by {nonces} nonces"
        )?;
        let received = |what: fn(&Figures) -> u64| self.of(|a| what(&a.received));
        write!(
            f,
            "  {} decrypted ({heard} of sound), {} of them again, {} not heard, {} not decrypted",
            received(|figures| figures.decrypted),
            received(|figures| figures.again),
            received(|figures| figures.unheard),
            received(|figures| figures.undecrypted),
        )
    }
}

#[test]
#[allow(
    clippy::print_stderr,
    reason = "figures are for people, and a seed is what a failure is reproduced by"
)]
fn whatever_happens_nothing_is_undecryptable_and_no_nonce_is_used_twice() {
    let seeds = Seeds {
        count: "PINHOLE_SESSIONS",
        usual: 200,
        first: "PINHOLE_SESSIONS_SEED",
    };
    let outcome = seeds.each(|seed| {
        let course = Course::draw(seed);
        let drawn = format!("{course:?}");
        if seeds.count() == 1 {
            eprintln!("{course:#?}");
        }
        session(course).map_err(|failure| format!("{failure}\n{drawn}"))
    });
    let sum = Sum(&outcome.accounts);
    eprintln!("{sum}");
    outcome.assert_well();
    // One session alone need not have all of it.
    if seeds.count() >= 100 {
        let all = [
            sum.of(|a| a.wraps),
            sum.of(|a| a.again),
            sum.of(|a| a.heard as u64),
            sum.of(|a| a.received.again),
            sum.of(|a| a.restarts.into()),
            sum.of(|a| a.moves.into()),
            sum.of(|a| a.renegotiations.into()),
        ];
        assert!(
            all.iter().all(|count| *count > 0),
            "something did not happen: {sum}"
        );
    }
}

#[test]
fn a_packet_that_can_not_be_decrypted_is_noticed() {
    for ciphers in Ciphers::ALL {
        let mut call = Call::new(Setting {
            ciphers,
            ..Setting::default()
        });
        call.connect();
        let ssrc = call.viewer.ssrc().expect("a stream");
        let next = call.viewer.reception().newest(ssrc).expect("a packet") as u16 + 1;
        let forged = [
            &[0x80, 102][..],
            &next.to_be_bytes(),
            &[0; 4],
            &ssrc.to_be_bytes(),
            &[7; 100],
        ]
        .concat();
        let forged = Datagram {
            viewer: call.viewer.address(),
            data: forged.into(),
        };
        let before = call.viewer.reception().figures();
        call.viewer.receive(&forged, call.now);
        let undecrypted = before.undecrypted + 1;
        assert_eq!(
            call.viewer.reception().figures(),
            Figures {
                undecrypted,
                ..before
            }
        );
    }
}
