//! Estimates over a path in virtual time: a bottleneck, a queue, delay, and loss by chance.

mod path;
mod reading;

use std::time::Duration;

use path::{Path, Run};

const SECOND: Duration = Duration::from_secs(1);

/// A camera of so many bits a second over such a path, whose sender obeys the estimate.
fn run(path: Path, full: u64) -> Run {
    Run::new(path, full)
}

fn path(rate: u64) -> Path {
    Path {
        rate,
        queue: Duration::from_millis(200),
        delay: Duration::from_millis(20),
        loss: 0.0,
    }
}

#[test]
fn it_finds_what_a_narrow_path_carries_and_the_queue_stays_short() {
    let mut run = run(path(1_000_000), 2_100_000);
    run.go(4 * SECOND);
    let mut least = u64::MAX;
    let mut most = 0;
    for _ in 0..26 {
        run.go(SECOND);
        let estimate = run.estimate().expect("it was full");
        (least, most) = (least.min(estimate), most.max(estimate));
    }
    assert!(least > 550_000 && most < 1_150_000, "{least} to {most}");
    assert!(
        run.mean_queue() < Duration::from_millis(120),
        "{:?}",
        run.mean_queue()
    );
    assert!(run.arrived_share() > 0.6, "{}", run.arrived_share());
}

#[test]
fn loss_by_chance_throttles_nobody() {
    for loss in [0.03, 0.1] {
        let mut run = run(
            Path {
                loss,
                ..path(20_000_000)
            },
            2_100_000,
        );
        run.go(60 * SECOND);
        assert!(
            run.estimate().is_none_or(|estimate| estimate > 2_100_000),
            "{loss}: {:?}",
            run.estimate()
        );
    }
}

#[test]
fn a_path_that_carries_all_is_believed_to_carry_whatever_comes() {
    let mut run = run(path(10_000_000), 2_100_000);
    run.go(60 * SECOND);
    assert!(run.estimate().is_none_or(|estimate| estimate > 2_100_000));
}

#[test]
fn it_falls_with_the_path_and_comes_back() {
    let mut run = run(path(5_000_000), 2_100_000);
    run.go(10 * SECOND);
    run.path(path(700_000));
    run.go(2 * SECOND);
    let fallen = run.estimate().expect("it was full");
    assert!(fallen < 1_100_000, "{fallen}");
    run.go(18 * SECOND);
    let narrow = run.estimate().expect("it was full");
    assert!((350_000..850_000).contains(&narrow), "{narrow}");
    run.path(path(5_000_000));
    run.go(20 * SECOND);
    let back = run.estimate().expect("it was full");
    assert!(back > 2_100_000, "{back}");
}

#[test]
fn a_path_without_a_queue_is_found_by_its_loss() {
    let shallow = Path {
        queue: Duration::from_millis(15),
        ..path(1_000_000)
    };
    let mut run = run(shallow, 2_100_000);
    run.go(20 * SECOND);
    let estimate = run.estimate().expect("it was full");
    assert!(estimate < 1_400_000, "{estimate}");
}

#[test]
fn without_a_word_of_the_viewer_it_is_halved_every_two_seconds() {
    let mut run = run(path(1_000_000), 2_100_000);
    run.go(10 * SECOND);
    let before = run.estimate().expect("it was full");
    run.cut();
    run.go(5 * SECOND);
    let after = run.estimate().expect("it was full");
    assert!(after < before / 3, "{before} {after}");
}
