//! Somebody who may reach the server, and means harm: `attacker SERVER NODE [from=ADDRESS]… [victim=ADDRESS]… ATTACK[=NUMBER]…`
//!
//! All the attacks run at the same time, again and again, until the process is killed. Every quarter of a second it prints as JSON
//! what it did so far. Without `from` it speaks from whichever address the system takes.
//!
//! | attack | what it does | number |
//! |---|---|---|
//! | `candidates` | offers with up to 3,000 candidates, and more of them one by one | members that do it |
//! | `shapes` | offers with 1,500 sections, with 20,000 payload types | members |
//! | `offers` | offers without candidates, 3.3 KB each, all of one member | a second |
//! | `lodgers` | offers without candidates, every 4 s of each member | members |
//! | `reflect` | offers that name the victims | members |
//! | `nacks` | watches, and asks for its last 17 packets, 250 times in a packet | packets a second |
//! | `keyframes` | watches, and asks for keyframes | packets a second |
//! | `rtcp`, `rtp`, `stun`, `dtls` | watches, and sends what looks like it; of the last two also what was good once | packets a second |
//! | `idle` | connections on which nothing comes | connections |
//! | `crowd` | sign-ins of members that never wait | sign-ins at a time |
//! | `mail` | messages to members of its own that fetch none, small and large | members |
//! | `bodies` | messages that stop just short | connections |
//! | `rosters` | sign-ins with long names whose answers are not read | connections |
//! | `thief` | fetches the node's messages | requests at a time |
//! | `storm` | members that come, wait, and come anew when nothing was said for 20 s | members |

mod lockout;
mod offers;
mod viewer;
mod wire;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::task::LocalSet;

/// How often it tells its figures.
const TELLS: Duration = Duration::from_millis(250);

/// What all attacks know.
struct Target {
    server: SocketAddr,
    /// The node's name.
    node: String,
    from: Vec<IpAddr>,
    victims: Vec<SocketAddr>,
    figures: RefCell<BTreeMap<&'static str, u64>>,
}

impl Target {
    /// Adds to one of the figures.
    fn count(&self, what: &'static str, number: u64) {
        *self.figures.borrow_mut().entry(what).or_default() += number;
    }
}

fn main() -> anyhow::Result<()> {
    let mut words = std::env::args().skip(1);
    let mut next = |what| words.next().with_context(|| format!("{what} is missing"));
    let mut target = Target {
        server: next("the server")?.parse()?,
        node: next("the node")?,
        from: Vec::new(),
        victims: Vec::new(),
        figures: RefCell::default(),
    };
    let mut attacks = Vec::new();
    for word in words {
        match word.split_once('=') {
            Some(("from", address)) => target.from.push(address.parse()?),
            Some(("victim", address)) => target.victims.push(address.parse()?),
            Some((attack, number)) => attacks.push((attack.to_owned(), number.parse()?)),
            None => bail!("{word}: how much of it?"),
        }
    }
    // As many connections as it likes.
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let most = rustix::process::Rlimit {
        current: files.maximum,
        ..files
    };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, most)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(LocalSet::new().run_until(run(Rc::new(target), attacks)))
}

async fn run(target: Rc<Target>, attacks: Vec<(String, usize)>) -> anyhow::Result<()> {
    let mut tasks = tokio::task::JoinSet::new();
    for (attack, number) in attacks {
        let target = target.clone();
        tasks.spawn_local(async move {
            let attacked = match attack.as_str() {
                "candidates" => offers::candidates(target, number).await,
                "shapes" => offers::shapes(target, number).await,
                "offers" => offers::flood(target, number).await,
                "lodgers" => offers::lodgers(target, number).await,
                "reflect" => offers::reflect(target, number).await,
                "idle" => lockout::idle(target, number).await,
                "crowd" => lockout::crowd(target, number).await,
                "mail" => lockout::mail(target, number).await,
                "bodies" => lockout::bodies(target, number).await,
                "rosters" => lockout::rosters(target, number).await,
                "thief" => lockout::thief(target, number).await,
                "storm" => lockout::storm(target, number).await,
                kind => match viewer::Kind::named(kind) {
                    Some(kind) => viewer::flood(target, kind, number).await,
                    None => bail!("there is no such attack"),
                },
            };
            attacked.with_context(|| attack)
        });
    }
    let mut tells = tokio::time::interval(TELLS);
    loop {
        tokio::select! {
            _ = tells.tick() => {
                let figures = serde_json::to_string(&*target.figures.borrow())?;
                writeln!(std::io::stdout(), "{figures}")?;
            }
            Some(ended) = tasks.join_next() => ended??,
        }
    }
}
