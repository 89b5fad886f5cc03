//! What is set before a device can have a picture: its input, and for HDMI and the like what the source is told and what it sends.

use std::io;

use pinhole_service::quiet::Quiet;
use rustix::io::Errno;
use v4l::Device;

use super::{
    DeviceName,
    receiver::{self, Input},
    signal::Signal,
};
use crate::{
    capture::CaptureError,
    media::{Edid, EdidPolicy, FrameRate, VideoInput},
};

/// The input that is wanted, or else the one that is selected; `None` where a driver tells of none.
///
/// # Errors
/// There is no such input.
pub fn choose(
    device: &Device,
    name: &DeviceName,
    wanted: Option<&VideoInput>,
) -> Result<Option<Input>, CaptureError> {
    let mut inputs = receiver::inputs(device);
    let found = match wanted {
        Some(wanted) => pick(&inputs, wanted).ok_or_else(|| CaptureError::NoSuchInput {
            device: name.to_string(),
            wanted: wanted.clone(),
            known: listed(&inputs),
        })?,
        // A driver that tells of one input and not which is selected has that one.
        None => receiver::selected(device).map_or(0, |index| index as usize),
    };
    Ok((found < inputs.len()).then(|| inputs.swap_remove(found)))
}

/// [`choose`], and has the device switch to it.
///
/// # Errors
/// There is no such input, or it can't be had, as somebody else streams from another one.
pub fn select(
    device: &Device,
    name: &DeviceName,
    wanted: Option<&VideoInput>,
) -> Result<Option<Input>, CaptureError> {
    let chosen = choose(device, name, wanted)?;
    if let Some(input) = &chosen
        && wanted.is_some()
        && receiver::selected(device).ok() != Some(input.index)
    {
        receiver::select(device, input.index).map_err(|error| name.error("switch to its input", error))?;
    }
    Ok(chosen)
}

/// Has the source at an input see the EDID that it is to see. One that is there already is left alone: a source that is told of another
/// stops for seconds.
///
/// # Errors
/// The input has no EDID, or the driver does not take this one.
pub fn show_edid(
    device: &Device,
    name: &DeviceName,
    input: Option<&Input>,
    policy: &EdidPolicy,
) -> Result<(), CaptureError> {
    let input = input.filter(|input| input.has_timings);
    let (edid, input) = match (policy, input) {
        (EdidPolicy::Never, _) | (EdidPolicy::WhereMissing, None) => return Ok(()),
        (EdidPolicy::WhereMissing, Some(input)) => (Edid::built_in(), input.index),
        (EdidPolicy::Always(edid), Some(input)) => (edid.clone(), input.index),
        (EdidPolicy::Always(_), None) => {
            return Err(refused(
                name,
                "this input is none for HDMI or the like; remove `edid`",
            ));
        }
    };
    match (receiver::edid(device, input), policy) {
        // No input with an EDID, as one for SDI; or it is told by other means.
        (Err(error), EdidPolicy::WhereMissing) => {
            tracing::debug!(device = %name, "it does not tell of its EDID: {error}");
            return Ok(());
        }
        (Err(error), _) => return Err(not_taken(name, &edid, error)),
        (Ok(has), EdidPolicy::WhereMissing) if !has.is_empty() => return Ok(()),
        (Ok(has), _) if has == edid.bytes() => return Ok(()),
        (Ok(_), _) => {}
    }
    receiver::set_edid(device, input, edid.bytes()).map_err(|error| not_taken(name, &edid, error))?;
    // A device that forgets it is shown it at each try.
    static SET: Quiet = Quiet::new(5);
    if let Some(others) = SET.may_say() {
        tracing::info!(device = %name, blocks = edid.blocks(), others, "EDID set: the source can see what to send now");
    }
    Ok(())
}

/// Sets the device up for what the source at its input sends, and has changes of that told. `None` where the input does not tell; `fallback` is
/// the rate where only that is not told.
///
/// # Errors
/// Nothing comes, or nothing that can be taken; or the driver's error.
pub fn lock_on(
    device: &Device,
    name: &DeviceName,
    input: &Input,
    fallback: FrameRate,
) -> Result<Option<Signal>, CaptureError> {
    // Before it is looked at, so that no change is missed.
    if let Err(error) = receiver::subscribe(device, input.index) {
        tracing::debug!(device = %name, "it does not tell of another signal: {error}");
    }
    let found = match receiver::query(device) {
        Err(error) if is_untold(&error) => return Ok(None),
        answer => answer.map_err(|error| no_signal(name, error))?,
    };
    let Some(timings) = found.timings() else {
        return Ok(None);
    };
    receiver::set(device, &found).map_err(|error| match Errno::from_io_error(&error) {
        Some(Errno::INVAL | Errno::RANGE) => CaptureError::SignalOutOfRange {
            device: name.to_string(),
        },
        _ => name.error("be set up for its signal", error),
    })?;
    Ok(Some(Signal::of(&timings, fallback)))
}

/// That the signal is still `was`, after the device has told of a change.
///
/// # Errors
/// It is another, or there is none.
pub fn check(device: &Device, name: &DeviceName, was: &Signal) -> Result<(), CaptureError> {
    let found = receiver::query(device).map_err(|error| no_signal(name, error))?;
    match found.timings().map(|timings| Signal::of(&timings, was.rate)) {
        Some(is) if !is.is_as(was) => Err(CaptureError::SignalChanged {
            device: name.to_string(),
            was: was.to_string(),
            is: is.to_string(),
        }),
        _ => Ok(()),
    }
}

/// What it means that a signal can't be told.
pub fn no_signal(name: &DeviceName, error: io::Error) -> CaptureError {
    let device = name.to_string();
    match Errno::from_io_error(&error) {
        Some(Errno::NOLINK) => CaptureError::NoSignal { device },
        Some(Errno::NOLCK) => CaptureError::SignalNotStable { device },
        Some(Errno::RANGE) => CaptureError::SignalOutOfRange { device },
        _ => name.error("look at its signal", error),
    }
}

/// Whether an input has nothing to tell of its signal, whatever comes: that of a camera, or of a driver without these calls.
pub fn is_untold(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::ENOTTY | libc::ENODATA | libc::EINVAL)
    )
}

/// All inputs in words.
fn listed(inputs: &[Input]) -> String {
    let words: Vec<_> = inputs
        .iter()
        .map(|input| format!("{} ({})", input.index, input.name))
        .collect();
    if words.is_empty() {
        "none to choose from".to_owned()
    } else {
        words.join(", ")
    }
}

/// Where the wanted one stands: by its number; by its whole name; by a part of it.
fn pick(inputs: &[Input], wanted: &VideoInput) -> Option<usize> {
    match wanted {
        VideoInput::Number(number) => inputs.iter().position(|input| input.index == *number),
        VideoInput::Name(name) => {
            let name = name.to_lowercase();
            let by = |is: fn(&str, &str) -> bool| {
                let is_it = |input: &Input| is(&input.name.to_lowercase(), &name);
                inputs.iter().position(is_it)
            };
            by(|known, name| known == name).or_else(|| by(|known, name| known.contains(name)))
        }
    }
}

fn refused(name: &DeviceName, reason: &str) -> CaptureError {
    CaptureError::EdidRefused {
        device: name.to_string(),
        reason: reason.to_owned(),
    }
}

fn not_taken(name: &DeviceName, edid: &Edid, error: io::Error) -> CaptureError {
    match error.raw_os_error() {
        Some(libc::E2BIG) => refused(
            name,
            &format!(
                "it has room for fewer blocks than the {} that it has",
                edid.blocks()
            ),
        ),
        Some(libc::EINVAL | libc::ENOTTY) => refused(
            name,
            &format!("the driver does not take it, or takes none for this input ({error})"),
        ),
        _ => name.error("take its EDID", error),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn inputs() -> Vec<Input> {
        let input = |index: usize, name: &str| Input {
            index: u32::try_from(index).expect("a few"),
            name: name.to_owned(),
            has_timings: name.starts_with("HDMI"),
        };
        ["Webcam 000-0", "HDMI 000-1", "HDMI 000-10"]
            .iter()
            .enumerate()
            .map(|(index, name)| input(index, name))
            .collect()
    }

    #[test]
    fn an_input_is_found_by_number_name_or_a_part_of_it() {
        let name = |name: &str| VideoInput::Name(name.to_owned());
        for (wanted, expected) in [
            (VideoInput::Number(0), Some(0)),
            (VideoInput::Number(2), Some(2)),
            (VideoInput::Number(3), None),
            (name("HDMI 000-10"), Some(2)),
            (name("hdmi 000-1"), Some(1)),
            (name("hdmi"), Some(1)),
            (name("cam"), Some(0)),
            (name("S-Video"), None),
        ] {
            assert_eq!(pick(&inputs(), &wanted), expected, "{wanted}");
        }
        assert_eq!(listed(&inputs()[..2]), "0 (Webcam 000-0), 1 (HDMI 000-1)");
        assert_eq!(listed(&[]), "none to choose from");
    }

    #[test]
    fn what_the_kernel_says_of_a_signal_is_a_state_that_passes() {
        let name = DeviceName::of(Path::new("/dev/video0"));
        let told = |code| no_signal(&name, io::Error::from_raw_os_error(code));
        assert!(matches!(told(libc::ENOLINK), CaptureError::NoSignal { .. }));
        assert!(matches!(told(libc::ENOLCK), CaptureError::SignalNotStable { .. }));
        assert!(matches!(
            told(libc::ERANGE),
            CaptureError::SignalOutOfRange { .. }
        ));
        assert!(matches!(told(libc::ENODEV), CaptureError::Unplugged { .. }));
        for code in [libc::ENOLINK, libc::ENOLCK, libc::ERANGE] {
            let error = told(code);
            assert!(
                error.is_transient() && error.to_string().contains("/dev/video0"),
                "{error}"
            );
            assert!(!is_untold(&io::Error::from_raw_os_error(code)));
        }
        assert!(is_untold(&io::Error::from_raw_os_error(libc::ENOTTY)));
    }
}
