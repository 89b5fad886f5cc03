/// What the system says of this process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Process {
    /// Memory that is really there.
    pub resident_bytes: u64,
    /// CPU time, the program's own and the system's for it.
    pub cpu_seconds: f64,
}

impl Process {
    /// Now. `None` where /proc can't be read (proc(5)).
    pub fn now() -> Option<Self> {
        let memory = std::fs::read_to_string("/proc/self/statm").ok()?;
        let times = std::fs::read_to_string("/proc/self/stat").ok()?;
        Self::parse(
            &memory,
            &times,
            rustix::param::page_size() as u64,
            rustix::param::clock_ticks_per_second(),
        )
    }

    fn parse(memory: &str, times: &str, page: u64, ticks_per_second: u64) -> Option<Self> {
        let pages: u64 = memory.split_whitespace().nth(1)?.parse().ok()?;
        // The name in brackets may hold anything; utime and stime are the 12th and 13th after it.
        let mut fields = times.rsplit(')').next()?.split_whitespace().skip(11);
        let mut ticks = || fields.next()?.parse::<u64>().ok();
        let (user, system) = (ticks()?, ticks()?);
        Some(Self {
            resident_bytes: pages * page,
            cpu_seconds: (user + system) as f64 / ticks_per_second as f64,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_with_any_name_is_measured() {
        let stat = "1 (a) b) R 1 1 1 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 1 0 1 1 1";
        let expected = Process {
            resident_bytes: 20 * 4096,
            cpu_seconds: 3.0,
        };
        assert_eq!(
            Process::parse("100 20 3 4 5 6 7", stat, 4096, 100),
            Some(expected)
        );
        assert_eq!(Process::parse("", stat, 4096, 100), None);
    }
}
