use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Heat comes slowly, and some of these files ask a chip.
const PAUSE: Duration = Duration::from_secs(5);

/// Whether the machine slows its processor down to protect itself, where the kernel tells. A processor that is merely set to be slow is
/// nobody's trouble.
#[derive(Debug)]
pub(super) struct Heat {
    tells: Vec<Tell>,
    looked: Option<Instant>,
    is_hot: bool,
}

/// A file that tells.
#[derive(Debug)]
enum Tell {
    /// How far a cooling device is on (`Documentation/driver-api/thermal/sysfs-api.rst`), of one that slows the processor.
    Cooling(PathBuf),
    /// What a Raspberry Pi's firmware does, in bits (`vcgencmd get_throttled`).
    Firmware(PathBuf),
}

/// At present: frequency capped, throttled, or at the soft temperature limit.
const FIRMWARE_SLOWS: u32 = 0b1110;

impl Heat {
    /// What there is below `sys`, which is `/sys`.
    pub(super) fn find(sys: &Path) -> Self {
        let inside = |directory: &Path| {
            let entries = fs::read_dir(directory).into_iter().flatten();
            entries.filter_map(|entry| Some(entry.ok()?.path()))
        };
        let slows = |device: &PathBuf| {
            let kind = fs::read_to_string(device.join("type")).unwrap_or_default();
            // A fan is a cooling device, too, and one that turns is fine.
            ["cpufreq", "thermal-cpufreq", "Processor"]
                .iter()
                .any(|kinds| kind.starts_with(kinds))
        };
        let cooling = inside(&sys.join("class/thermal"))
            .filter(slows)
            .map(|device| Tell::Cooling(device.join("cur_state")));
        // `soc/soc:firmware`, or with the chip's address in both (`soc@107c000000`) on newer boards.
        let firmware = inside(&sys.join("devices/platform"))
            .filter(|chip| {
                chip.file_name()
                    .is_some_and(|name| name.as_encoded_bytes().starts_with(b"soc"))
            })
            .flat_map(|chip| inside(&chip))
            .filter(|device| device.as_os_str().as_encoded_bytes().ends_with(b":firmware"))
            .map(|device| device.join("get_throttled"))
            .filter(|file| file.exists())
            .map(Tell::Firmware);
        Self {
            tells: cooling.chain(firmware).collect(),
            looked: None,
            is_hot: false,
        }
    }

    /// Whether it is so, by a look that is some seconds old at most. Cheap enough for every frame.
    pub(super) fn is_hot(&mut self, now: Instant) -> bool {
        let is_old = |looked| now.saturating_duration_since(looked) >= PAUSE;
        if !self.tells.is_empty() && self.looked.is_none_or(is_old) {
            self.looked = Some(now);
            self.is_hot = self.tells.iter().any(Tell::slows);
        }
        self.is_hot
    }
}

impl Tell {
    /// What can't be read or understood says nothing.
    fn slows(&self) -> bool {
        let (Tell::Cooling(path) | Tell::Firmware(path)) = self;
        let Ok(text) = fs::read_to_string(path) else {
            return false;
        };
        let text = text.trim();
        match self {
            Tell::Cooling(_) => text.parse::<u64>().is_ok_and(|state| state > 0),
            Tell::Firmware(_) => {
                let bits = u32::from_str_radix(text.trim_start_matches("0x"), 16);
                bits.is_ok_and(|bits| bits & FIRMWARE_SLOWS != 0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sys(PathBuf);

    impl Sys {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("pinhole-heat-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).expect("the temporary directory can be written");
            Self(path)
        }

        fn write(&self, path: &str, text: &str) {
            let path = self.0.join(path);
            fs::create_dir_all(path.parent().expect("in a directory")).expect("a directory");
            fs::write(path, text).expect("a file");
        }
    }

    impl Drop for Sys {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_processor_that_is_slowed_down_is_hot_and_a_fan_that_turns_is_not() {
        let sys = Sys::new("cooling");
        let start = Instant::now();
        sys.write("class/thermal/cooling_device0/type", "pwm-fan\n");
        sys.write("class/thermal/cooling_device0/cur_state", "3\n");
        sys.write("class/thermal/cooling_device1/type", "cpufreq-cpu0\n");
        sys.write("class/thermal/cooling_device1/cur_state", "0\n");
        sys.write("class/thermal/thermal_zone0/type", "cpu-thermal\n");
        let mut heat = Heat::find(&sys.0);
        assert!(!heat.is_hot(start));
        sys.write("class/thermal/cooling_device1/cur_state", "2\n");
        assert!(!heat.is_hot(start + PAUSE / 2), "it was asked a moment ago");
        assert!(heat.is_hot(start + PAUSE));
        sys.write("class/thermal/cooling_device1/cur_state", "0\n");
        assert!(!heat.is_hot(start + 2 * PAUSE));
    }

    #[test]
    fn a_raspberry_pi_s_firmware_tells_what_it_does_now_and_what_it_once_did() {
        for place in [
            "devices/platform/soc/soc:firmware/get_throttled",
            "devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled",
        ] {
            firmware_at(place);
        }
    }

    fn firmware_at(place: &str) {
        let sys = Sys::new("firmware");
        let mut now = Instant::now();
        sys.write(place, "0\n");
        let mut heat = Heat::find(&sys.0);
        for (text, is_hot) in [
            ("0", false),
            // Too little voltage, so far without consequences.
            ("50001", false),
            ("4\n", true),
            ("e0008", true),
            ("0x2", true),
            ("nonsense", false),
        ] {
            sys.write(place, text);
            assert_eq!(heat.is_hot(now), is_hot, "{text}");
            now += PAUSE;
        }
    }

    #[test]
    fn a_machine_that_tells_nothing_is_never_hot() {
        let sys = Sys::new("silent");
        assert!(!Heat::find(&sys.0).is_hot(Instant::now()));
    }
}
