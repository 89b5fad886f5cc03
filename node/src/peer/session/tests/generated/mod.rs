//! Offers of every shape, drawn by seeds, and what the standards say of the answers. Neither browsers nor networks are in it: only offers,
//! answers, and what a session makes of them.

mod cut;
mod formats;
mod oracle;
mod part;
mod shape;

use std::{
    collections::BTreeMap,
    env,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
};

use rand::{Rng, SeedableRng, rngs::StdRng};

use super::*;
use crate::peer::sdp::DescriptionError;
use cut::Sdp;
use oracle::{answer_to, answers, continues, shows};
use shape::Shape;

/// What came of the offers of one seed.
#[derive(Default)]
struct Account {
    answered: u64,
    /// What refusals said.
    refused: BTreeMap<String, u64>,
    own: u64,
}

/// What a session says to one input.
enum Said {
    Answer(String),
    Refusal(String),
}

/// The next thing that it says, and the offer of its own after it.
fn said(session: &mut Session) -> Result<(Said, Option<String>), String> {
    let (mut said, mut own) = (None, None);
    while let Some(event) = event(session) {
        let new = match event {
            Event::Answer(answer) => Said::Answer(answer),
            Event::Failed(error) => Said::Refusal(reason(&error)?),
            Event::Offer(offer) if own.is_none() => {
                own = Some(offer);
                continue;
            }
            Event::KeyframeWanted => continue,
            other => return Err(format!("nobody asked for {other:?}")),
        };
        if said.replace(new).is_some() {
            return Err("it said two things".to_owned());
        }
    }
    Ok((said.ok_or("it said nothing")?, own))
}

/// The words of a refusal. Those of the core are no reason that a viewer could do anything about.
fn reason(error: &SessionError) -> Result<String, String> {
    match error {
        SessionError::Negotiation(_) | SessionError::Description(DescriptionError::Syntax(_)) => {
            Err(format!("refused for no reason: {error}"))
        }
        error => Ok(error.to_string()),
    }
}

/// What went wrong, with the descriptions.
fn fail<T>(what: String, offer: &str, answer: &str) -> Result<T, String> {
    Err(format!("{what}\n{offer}\n--\n{answer}"))
}

/// Has the offers of a seed answered.
fn run(seed: u64, account: &mut Account) -> Result<(), String> {
    let random = &mut StdRng::seed_from_u64(seed);
    let mut shape = Shape::draw(random);
    let terms = Terms {
        sound: random.random_bool(0.5),
        ..hearing(if random.random_bool(0.5) {
            TalkBack::All
        } else {
            TalkBack::Nobody
        })
    };
    let mut sdp = shape.render();
    let opened = Offer::read(sdp.clone())
        .map_err(SessionError::from)
        .and_then(|offer| {
            let now = Instant::now();
            let anchor = Anchor {
                instant: now,
                timestamp: Timestamp::now(),
                wall: Duration::ZERO,
            };
            Session::new("viewer".into(), offer, &addresses(), &terms, anchor, now)
        });
    let must = Sdp::cut(&sdp).must_be_answered();
    let mut session = match opened {
        Ok(session) => session,
        Err(error) => {
            let reason = reason(&error).or_else(|what| fail(what, &sdp, ""))?;
            if must || reason.is_empty() {
                return fail(format!("refused: {reason}"), &sdp, "");
            }
            *account.refused.entry(reason).or_default() += 1;
            return Ok(());
        }
    };
    let rounds = if seed.is_multiple_of(3) { 4 } else { 1 };
    for round in 0..rounds {
        if round > 0 {
            shape.change(random);
            sdp = shape.render();
            let offer = match Offer::read(sdp.clone()).map_err(SessionError::from) {
                Ok(offer) => offer,
                Err(error) => {
                    let reason = reason(&error).or_else(|what| fail(what, &sdp, ""))?;
                    *account.refused.entry(reason).or_default() += 1;
                    continue;
                }
            };
            session.handle(Input::Offer(Box::new(offer)), session.now);
        }
        let (said, own) = said(&mut session).or_else(|what| fail(what, &sdp, ""))?;
        let answer = match said {
            Said::Answer(answer) => answer,
            // A session ends with it.
            Said::Refusal(reason) => {
                *account.refused.entry(reason).or_default() += 1;
                return Ok(());
            }
        };
        account.answered += 1;
        answers(&sdp, &answer).or_else(|what| fail(format!("round {round}: {what}"), &sdp, &answer))?;
        if round == 0 && Sdp::cut(&sdp).must_be_shown() && !shows(&answer) {
            return fail("no picture".to_owned(), &sdp, &answer);
        }
        if let Some(own) = own {
            account.own += 1;
            continues(&answer, &own).or_else(|what| fail(format!("our offer: {what}"), &answer, &own))?;
            // Now and then both offer at once.
            if random.random_bool(0.8) {
                session.handle(Input::Answer(answer_to(&own)), session.now);
                if let Some(Event::Failed(error)) = event(&mut session) {
                    return fail(
                        format!("the answer to our offer is refused: {error}"),
                        &own,
                        &answer_to(&own),
                    );
                }
                shape.agree(&own);
            }
        }
    }
    Ok(())
}

fn variable(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |value| {
        value
            .parse()
            .unwrap_or_else(|_| panic!("{name}={value} is no number"))
    })
}

#[test]
#[allow(
    clippy::print_stderr,
    reason = "figures are for people, and a seed is what a failure is reproduced by"
)]
fn whatever_is_offered_is_answered_as_the_standards_say_or_refused_with_the_reason() {
    let first = variable("PINHOLE_OFFERS_SEED", 0);
    let last = first + variable("PINHOLE_OFFERS", 10_000);
    let next = AtomicU64::new(first);
    let (accounts, failures) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let work = || {
        let mut account = Account::default();
        loop {
            let seed = next.fetch_add(1, Relaxed);
            if seed >= last {
                break;
            }
            let outcome = catch_unwind(AssertUnwindSafe(|| run(seed, &mut account)));
            if let Err(what) = outcome.unwrap_or_else(|_| Err("it panicked".to_owned())) {
                let failure = format!("PINHOLE_OFFERS_SEED={seed} PINHOLE_OFFERS=1: {what}");
                failures.lock().expect("no panic").push(failure);
            }
        }
        accounts.lock().expect("no panic").push(account);
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let (answered, own, refused) = accounts.into_inner().expect("no panic").into_iter().fold(
        (0, 0, BTreeMap::new()),
        |(answered, own, mut refused), account| {
            for (reason, count) in account.refused {
                *refused.entry(reason).or_insert(0) += count;
            }
            (answered + account.answered, own + account.own, refused)
        },
    );
    eprintln!("{answered} offers answered, {own} of our own made, refused: {refused:#?}");
    let failures = failures.into_inner().expect("no panic");
    let shown: Vec<_> = failures.iter().take(5).map(String::as_str).collect();
    assert!(
        failures.is_empty(),
        "{} went wrong:\n{}",
        failures.len(),
        shown.join("\n\n")
    );
    // One offer alone may be refused.
    let count = last - first;
    assert!(
        count < 1000 || answered > count / 2,
        "only {answered} of {count} were answered: the test tests little"
    );
}
