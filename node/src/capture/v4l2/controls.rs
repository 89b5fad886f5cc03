use v4l::Device;

use super::{
    DeviceName,
    flags::{
        CTRL_FLAG_DISABLED, CTRL_FLAG_INACTIVE, CTRL_FLAG_READ_ONLY, CTRL_TYPE_BITMASK, CTRL_TYPE_BOOLEAN,
        CTRL_TYPE_BUTTON, CTRL_TYPE_CTRL_CLASS, CTRL_TYPE_INTEGER, CTRL_TYPE_INTEGER_MENU, CTRL_TYPE_MENU,
    },
    ioctl::{self, Control},
};
use crate::capture::{CaptureError, Controls};

/// Sets all of `wanted`, by the names that `v4l2-ctl --list-ctrls` shows, and gives those of `before` that are not
/// wanted any more the driver's default.
///
/// # Errors
///
/// A name that the device does not have, or a value that it does not take: the first of them. The others are set.
pub fn set(
    device: &Device,
    name: &DeviceName,
    wanted: &Controls,
    before: &Controls,
) -> Result<(), CaptureError> {
    if wanted.is_empty() && before.is_empty() {
        return Ok(());
    }
    let known = list(device, name)?;
    let (chosen, mut mistakes) = choose(&known, name, wanted, before);
    // An exposure or a focus is inactive until its automatic control is off, so those come last.
    let (inactive, active): (Vec<_>, Vec<_>) = chosen
        .into_iter()
        .partition(|(control, _)| control.flags & CTRL_FLAG_INACTIVE != 0);
    for (control, value) in active.into_iter().chain(inactive) {
        let set =
            ioctl::set_control(device, control.id, value).map_err(|source| match source.raw_os_error() {
                Some(libc::ERANGE | libc::EINVAL) => out_of_range(name, control, value.into()),
                Some(libc::EACCES | libc::EBUSY) => CaptureError::ControlRefused {
                    device: name.to_string(),
                    control: normal(&control.name),
                    reason: source.to_string(),
                },
                _ => name.error("set a control", source),
            });
        mistakes.extend(set.err());
    }
    match mistakes.into_iter().next() {
        Some(first) => Err(first),
        None => Ok(()),
    }
}

/// What to set, and what is wrong with the rest.
fn choose<'a>(
    known: &'a [Control],
    name: &DeviceName,
    wanted: &Controls,
    before: &Controls,
) -> (Vec<(&'a Control, i32)>, Vec<CaptureError>) {
    let find = |wanted: &str| known.iter().find(|known| normal(&known.name) == normal(wanted));
    let (mut chosen, mut mistakes) = (Vec::new(), Vec::new());
    for (control, &value) in wanted {
        let found = find(control).ok_or_else(|| CaptureError::UnknownControl {
            device: name.to_string(),
            control: control.clone(),
            known: names(known),
        });
        match found.and_then(|known| Ok((known, check(name, known, value)?))) {
            Ok(choice) => chosen.push(choice),
            Err(mistake) => mistakes.push(mistake),
        }
    }
    let unset = before.keys().filter(|control| !wanted.contains_key(*control));
    for control in unset.filter_map(|control| find(control)) {
        if control.flags & CTRL_FLAG_READ_ONLY == 0 && control.kind != CTRL_TYPE_BUTTON {
            chosen.push((control, control.default));
        }
    }
    (chosen, mistakes)
}

/// What there is to set, with its present values.
///
/// # Errors
///
/// The device has gone.
pub fn describe(device: &Device, name: &DeviceName) -> Result<Vec<super::describe::Control>, CaptureError> {
    let plain = |control: &Control| {
        let kinds = [
            CTRL_TYPE_INTEGER,
            CTRL_TYPE_BOOLEAN,
            CTRL_TYPE_MENU,
            CTRL_TYPE_INTEGER_MENU,
        ];
        kinds.contains(&control.kind) && control.flags & CTRL_FLAG_READ_ONLY == 0
    };
    let describe = |control: Control| super::describe::Control {
        name: normal(&control.name),
        minimum: control.minimum,
        maximum: control.maximum,
        step: control.step,
        default: control.default,
        value: ioctl::get_control(device, control.id).ok(),
        inactive: control.flags & CTRL_FLAG_INACTIVE != 0,
    };
    let known = list(device, name)?;
    Ok(known.into_iter().filter(plain).map(describe).collect())
}

fn list(device: &Device, name: &DeviceName) -> Result<Vec<Control>, CaptureError> {
    let mut controls: Vec<Control> = Vec::new();
    let mut last = 0;
    while let Some(control) =
        ioctl::next_control(device, last).map_err(|source| name.error("list its controls", source))?
    {
        // The ids rise; a driver that goes in circles must not keep us here.
        if control.id <= last {
            break;
        }
        last = control.id;
        if control.kind != CTRL_TYPE_CTRL_CLASS && control.flags & CTRL_FLAG_DISABLED == 0 {
            controls.push(control);
        }
    }
    Ok(controls)
}

fn names(controls: &[Control]) -> String {
    let names: Vec<_> = controls.iter().map(|control| normal(&control.name)).collect();
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

fn check(name: &DeviceName, control: &Control, value: i64) -> Result<i32, CaptureError> {
    let refused = |reason: &str| CaptureError::ControlRefused {
        device: name.to_string(),
        control: normal(&control.name),
        reason: reason.to_owned(),
    };
    if control.flags & CTRL_FLAG_READ_ONLY != 0 {
        return Err(refused("it is read-only"));
    }
    match control.kind {
        // A bitmask is a number without a sign in a field with one.
        CTRL_TYPE_BITMASK => u32::try_from(value).map(u32::cast_signed).ok(),
        CTRL_TYPE_BUTTON => Some(0),
        CTRL_TYPE_INTEGER | CTRL_TYPE_BOOLEAN | CTRL_TYPE_MENU | CTRL_TYPE_INTEGER_MENU => {
            i32::try_from(value)
                .ok()
                .filter(|value| (control.minimum..=control.maximum).contains(value))
        }
        _ => return Err(refused("it is no plain number")),
    }
    .ok_or_else(|| out_of_range(name, control, value))
}

fn out_of_range(name: &DeviceName, control: &Control, value: i64) -> CaptureError {
    let Control {
        minimum,
        maximum,
        step,
        ..
    } = control;
    let steps = if *step > 1 {
        format!(" in steps of {step}")
    } else {
        String::new()
    };
    CaptureError::ControlOutOfRange {
        device: name.to_string(),
        control: normal(&control.name),
        value,
        range: format!("{minimum} to {maximum}{steps}"),
    }
}

/// Whether a configuration names this control.
pub fn is_named(control: &Control, among: &Controls) -> bool {
    among.keys().any(|name| normal(name) == normal(&control.name))
}

/// The name as `v4l2-ctl` writes it: lower case, and one underscore for whatever is between letters and digits.
fn normal(name: &str) -> String {
    let words = name.split(|character: char| !character.is_ascii_alphanumeric());
    let words: Vec<_> = words
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    words.join("_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn control(kind: u32, flags: u32) -> Control {
        Control {
            id: 1,
            kind,
            name: "White Balance, Automatic".to_owned(),
            minimum: -10,
            maximum: 10,
            step: 5,
            default: 3,
            flags,
        }
    }

    fn camera() -> DeviceName {
        DeviceName {
            path: "/dev/video9".to_owned(),
            card: Some("Eye".to_owned()),
        }
    }

    #[test]
    fn names_are_those_of_v4l2_ctl() {
        assert_eq!(normal("White Balance, Automatic"), "white_balance_automatic");
        assert_eq!(normal("Exposure Time, Absolute"), "exposure_time_absolute");
        assert_eq!(normal("white_balance_automatic"), "white_balance_automatic");
        assert_eq!(normal(" Gain (dB) 2 "), "gain_db_2");
    }

    #[test]
    fn values_outside_the_range_are_refused_with_the_range() {
        let error = check(&camera(), &control(CTRL_TYPE_INTEGER, 0), 11).expect_err("refused");
        assert_eq!(
            error.to_string(),
            "/dev/video9 (Eye) does not take white_balance_automatic = 11; it takes -10 to 10 in steps of 5"
        );
        assert!(!error.is_transient());
        assert!(check(&camera(), &control(CTRL_TYPE_MENU, 0), i64::MAX).is_err());
        assert_eq!(
            check(&camera(), &control(CTRL_TYPE_INTEGER, 0), -10).unwrap(),
            -10
        );
        assert_eq!(
            check(&camera(), &control(CTRL_TYPE_BITMASK, 0), 0xffff_ffff).unwrap(),
            -1
        );
    }

    #[test]
    fn one_mistake_does_not_keep_the_others_from_being_set() {
        let known = [control(CTRL_TYPE_INTEGER, 0)];
        let controls = |pairs: &[(&str, i64)]| -> Controls {
            pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), *value))
                .collect()
        };
        let wanted = controls(&[("colour_of_the_sky", 1), ("white_balance_automatic", 5)]);
        let (chosen, mistakes) = choose(&known, &camera(), &wanted, &Controls::new());
        assert_eq!(chosen.iter().map(|(_, value)| *value).collect::<Vec<_>>(), [5]);
        assert!(matches!(
            mistakes.as_slice(),
            [CaptureError::UnknownControl { .. }]
        ));
        let (chosen, _) = choose(&known, &camera(), &Controls::new(), &wanted);
        assert_eq!(
            chosen.iter().map(|(_, value)| *value).collect::<Vec<_>>(),
            [3],
            "no longer wanted: the default again"
        );
    }

    #[test]
    fn controls_that_cannot_be_set_are_refused() {
        for control in [control(CTRL_TYPE_INTEGER, CTRL_FLAG_READ_ONLY), control(7, 0)] {
            let error = check(&camera(), &control, 0).expect_err("refused");
            assert!(matches!(error, CaptureError::ControlRefused { .. }));
        }
    }
}
