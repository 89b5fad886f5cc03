//! Where the figures come from.

use std::fs;

use anyhow::Context;

/// The machine, its kernel and how busy it is, in one line.
pub fn describe() -> anyhow::Result<String> {
    let read = |path: &str| fs::read_to_string(path).with_context(|| path.to_owned());
    let processors = read("/proc/cpuinfo")?;
    let model = processors
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or("processor without a name", |(_, name)| name.trim());
    let count = std::thread::available_parallelism()?;
    let kernel = read("/proc/sys/kernel/osrelease")?;
    Ok(format!(
        "{count} x {model}, Linux {}; load average at the start {}.",
        kernel.trim(),
        load()?
    ))
}

/// The load average of the last minute.
pub fn load() -> anyhow::Result<String> {
    let text = fs::read_to_string("/proc/loadavg")?;
    Ok(text.split(' ').next().unwrap_or_default().to_owned())
}
