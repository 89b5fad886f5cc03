//! What is done to the server, so that others find no place, no memory or no messages there.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::Target;
use crate::wire::{Door, Member, message, sign_in, wait};

/// What is begun at the same time.
const AT_ONCE: usize = 16;
/// Who was refused tries again after this.
const AGAIN: Duration = Duration::from_millis(50);
/// How long a connection is kept that the server doesn't end.
const KEPT: Duration = Duration::from_secs(60);

/// Has so many workers do the same, each knowing its number.
async fn workers<Work: Future<Output = ()> + 'static>(
    count: usize,
    work: impl Fn(usize) -> Work,
) -> anyhow::Result<()> {
    let mut workers: JoinSet<()> = (0..count).map(&work).fold(JoinSet::new(), |mut workers, work| {
        workers.spawn_local(work);
        workers
    });
    while let Some(ended) = workers.join_next().await {
        ended?;
    }
    Ok(())
}

/// Keeps so many connections on which this is sent, and reads nothing; begins each again that the server has ended.
async fn hold(
    target: Rc<Target>,
    count: usize,
    what: &'static str,
    request: impl Fn(usize) -> Vec<u8> + 'static,
) -> anyhow::Result<()> {
    let request = Rc::new(request);
    workers(count, move |number| {
        let (target, request) = (target.clone(), request.clone());
        async move {
            loop {
                if let Ok(stream) = begin(&target, number, &request(number)).await {
                    target.count(what, 1);
                    // An answer is left unread; that the connection was ended is noticed all the same.
                    let _ = timeout(KEPT, ended(&stream)).await;
                }
                sleep(AGAIN).await;
            }
        }
    })
    .await
}

async fn begin(target: &Target, number: usize, request: &[u8]) -> io::Result<TcpStream> {
    let mut stream = Door::number(target, number).connect().await?;
    stream.write_all(request).await?;
    Ok(stream)
}

/// Returns when the server has ended a connection, without reading what it said before.
async fn ended(stream: &TcpStream) {
    while !stream
        .ready(tokio::io::Interest::READABLE)
        .await
        .is_ok_and(|ready| ready.is_read_closed())
    {
        sleep(AGAIN).await;
    }
}

pub async fn idle(target: Rc<Target>, count: usize) -> anyhow::Result<()> {
    hold(target, count, "idle", |_| Vec::new()).await
}

pub async fn bodies(target: Rc<Target>, count: usize) -> anyhow::Result<()> {
    const LARGE: usize = 250 << 10;
    let mut ids = Vec::new();
    for number in 0..target.from.len().max(1) {
        let answer = Door::number(&target, number).ask(&sign_in("mule")).await;
        ids.push(answer.ok().and_then(|answer| answer.id).unwrap_or_default());
    }
    hold(target, count, "bodies", move |number| {
        let id = ids[number % ids.len()];
        let mut short = message(id, id, &vec![b'x'; LARGE]);
        short.pop();
        short
    })
    .await
}

pub async fn rosters(target: Rc<Target>, count: usize) -> anyhow::Result<()> {
    hold(target, count, "rosters", |_| sign_in(&"x".repeat(500))).await
}

pub async fn crowd(target: Rc<Target>, count: usize) -> anyhow::Result<()> {
    workers(count, move |number| {
        let target = target.clone();
        async move {
            loop {
                let answer = Door::number(&target, number).ask(&sign_in("nobody")).await;
                target.count("sign_ins", 1);
                if !answer.is_ok_and(|answer| answer.status == 200) {
                    target.count("sign_ins_refused", 1);
                    sleep(AGAIN).await;
                }
            }
        }
    })
    .await
}

pub async fn mail(target: Rc<Target>, count: usize) -> anyhow::Result<()> {
    const LARGE: usize = 100 << 10;
    workers(count.min(AT_ONCE), move |worker| {
        let target = target.clone();
        async move {
            loop {
                let mut members = Vec::new();
                for number in (worker..count).step_by(AT_ONCE) {
                    members.extend(Member::sign_in(&target, number).await.ok());
                }
                // To another one: what somebody sends to himself is the answer to it.
                for pair in members.windows(2) {
                    // Until it is full.
                    for body in [vec![b'x'; LARGE], b"x".to_vec()] {
                        for _ in 0..300 {
                            let message = message(pair[0].id, pair[1].id, &body);
                            let answer = pair[0].door.ask(&message).await;
                            if !answer.is_ok_and(|answer| answer.status == 200) {
                                target.count("mail_refused", 1);
                                break;
                            }
                            target.count("mail", body.len() as u64);
                        }
                    }
                }
                sleep(AGAIN).await;
            }
        }
    })
    .await
}

pub async fn thief(target: Rc<Target>, count: usize) -> anyhow::Result<()> {
    let node = Member::sign_in(&target, 0).await?.node;
    workers(count, move |number| {
        let target = target.clone();
        async move {
            loop {
                let Ok(mut stream) = begin(&target, number, &wait(node)).await else {
                    continue;
                };
                target.count("waits", 1);
                let mut answer = Vec::new();
                let _ = timeout(KEPT, stream.read_to_end(&mut answer)).await;
                // The node's messages begin with their sender's id; what is refused doesn't.
                target.count(
                    "stolen",
                    u64::from(answer.starts_with(b"HTTP/1.1 200") || answer.starts_with(b"HTTP/1.0 200")),
                );
                sleep(AGAIN).await;
            }
        }
    })
    .await
}

pub async fn storm(target: Rc<Target>, count: usize) -> anyhow::Result<()> {
    workers(count, move |number| {
        let target = target.clone();
        async move {
            // Not all at the very same moment: the kernel's queue of connections is short.
            sleep(Duration::from_millis(number as u64)).await;
            loop {
                if let Ok(answer) = Door::number(&target, number).ask(&sign_in("guest")).await
                    && let Some(id) = answer.id
                {
                    target.count("members", 1);
                    while let Ok(answer) = Door::number(&target, number).ask(&wait(id)).await {
                        match answer.status {
                            200 => target.count("events", 1),
                            _ => break,
                        }
                    }
                }
                sleep(AGAIN).await;
            }
        }
    })
    .await
}
