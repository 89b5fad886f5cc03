use std::{
    io,
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use super::GpioError;

/// Pulses by a thread, for pins without PWM. They tremble as much as the system lets the thread wait, a tenth of a
/// millisecond on an idle board, which a servo shows as a degree or several; at rest there are none.
pub(super) struct Pulses {
    shared: Arc<(Mutex<State>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct State {
    width: Option<Duration>,
    failed: Option<GpioError>,
    stopping: bool,
}

impl Pulses {
    pub(super) fn start(
        period: Duration,
        set: impl FnMut(bool) -> Result<(), GpioError> + Send + 'static,
    ) -> io::Result<Self> {
        let shared = Arc::<(Mutex<State>, Condvar)>::default();
        let theirs = shared.clone();
        let thread = std::thread::Builder::new()
            .name("servo".into())
            .spawn(move || run(&theirs, period, set))?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// So long each from now on; `None`: none at all. An error of the pin comes back at the next call.
    pub(super) fn set(&self, width: Option<Duration>) -> Result<(), GpioError> {
        let mut state = self.shared.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.width = width;
        let failed = state.failed.take();
        drop(state);
        self.shared.1.notify_all();
        failed.map_or(Ok(()), Err)
    }
}

fn run(
    shared: &(Mutex<State>, Condvar),
    period: Duration,
    mut set: impl FnMut(bool) -> Result<(), GpioError>,
) {
    let idle = |state: &mut State| state.width.is_none() && !state.stopping;
    let mut next = Instant::now();
    loop {
        let state = shared.0.lock().unwrap_or_else(PoisonError::into_inner);
        let state = shared
            .1
            .wait_while(state, idle)
            .unwrap_or_else(PoisonError::into_inner);
        let (width, stopping) = (state.width, state.stopping);
        drop(state);
        if stopping {
            return;
        }
        let Some(width) = width else { continue };
        let begin = Instant::now();
        let pulse = set(true).and_then(|()| {
            std::thread::sleep(width.saturating_sub(begin.elapsed()));
            set(false)
        });
        if let Err(error) = pulse {
            let mut state = shared.0.lock().unwrap_or_else(PoisonError::into_inner);
            state.failed = Some(error);
            state.width = None;
        }
        // One after the other, also where this thread had to wait: two in a row would be one long one.
        next = (next + period).max(begin + period / 2);
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}

impl Drop for Pulses {
    fn drop(&mut self) {
        self.shared
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .stopping = true;
        self.shared.1.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn pulses_go_high_and_low_in_turn_and_end_low() {
        let (send, levels) = mpsc::sync_channel(1000);
        let pulses = Pulses::start(Duration::from_millis(2), move |high| {
            let _ = send.try_send(high);
            Ok(())
        })
        .expect("a thread");
        pulses.set(Some(Duration::from_micros(300))).expect("set");
        let first: Vec<bool> = levels.iter().take(10).collect();
        assert_eq!(first, [true, false].repeat(5));
        pulses.set(None).expect("set");
        drop(pulses);
        let rest: Vec<bool> = levels.iter().collect();
        assert!(
            rest.len().is_multiple_of(2) && rest.last() != Some(&true),
            "{rest:?}"
        );
    }

    #[test]
    fn a_pin_that_fails_is_told_of() {
        let (send, tried) = mpsc::sync_channel(1);
        let pulses = Pulses::start(Duration::from_millis(1), move |_| {
            let _ = send.try_send(());
            Err(GpioError::NoLine("gone".to_owned()))
        })
        .expect("a thread");
        pulses.set(Some(Duration::from_micros(1))).expect("not yet");
        tried.recv().expect("it is tried");
        let told = loop {
            if let Err(error) = pulses.set(None) {
                break error;
            }
            std::thread::yield_now();
        };
        assert!(told.to_string().contains("gone"));
    }
}
