use std::{collections::BTreeMap, fmt};

use super::{
    Exposition,
    page::{Labels, Page},
};

impl Exposition {
    pub(super) fn control(&self, page: &mut Page<'_>) -> fmt::Result {
        let control = &self.snapshot.control;
        let help = "1 while the privacy switch stops picture and sound.";
        page.gauge(
            "pinhole_privacy",
            None,
            help,
            f64::from(u8::from(control.body.privacy)),
        )?;
        page.gauges(
            "pinhole_output_on",
            None,
            "1 while the output is on.",
            rows(&control.body.outputs),
        )?;
        page.gauges(
            "pinhole_input_on",
            None,
            "1 while the input is on.",
            rows(&control.body.inputs),
        )?;
        page.gauge(
            "pinhole_pin_faults",
            None,
            "Lights, outputs, inputs and servos whose pins can't be used.",
            control.body.faults.len() as f64,
        )?;
        page.gauge(
            "pinhole_control_clients",
            None,
            "Viewers and programs that speak the control protocol.",
            control.body.clients as f64,
        )?;
        let help = "Control requests, by what became of them.";
        let requests = [
            ("obeyed", control.obeyed),
            ("refused", control.refused),
            ("flooded", control.flooded),
        ];
        let rows = requests.map(|(outcome, count)| (vec![("outcome", outcome)], count as f64));
        page.counters("pinhole_control_requests", None, help, rows)?;
        let help = "Control messages that a client did not get, because it took none for too long.";
        page.counter("pinhole_control_missed", help, control.missed)?;
        page.counter(
            "pinhole_snapshots",
            "Pictures that were made as files.",
            control.pictures,
        )
    }
}

fn rows(parts: &BTreeMap<String, bool>) -> impl Iterator<Item = (Labels<'_>, f64)> {
    parts
        .iter()
        .map(|(name, on)| (vec![("name", name.as_str())], f64::from(u8::from(*on))))
}
