//! What the operating system knows of this process, under the names of Prometheus' client libraries.
//!
//! Read from `/proc` at a scrape, so on Linux alone: elsewhere these metrics are absent, which is not the same as zero.

use std::fs;

use super::exposition::{Exposition, Type};

/// The unit of times in `/proc`: part of Linux' interface, whatever the kernel ticks at.
const TICKS_PER_SECOND: f64 = 100.0;

/// What was found. What could not be read is absent.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(super) struct Process {
    cpu_seconds: Option<f64>,
    pub(super) resident_bytes: Option<f64>,
    virtual_bytes: Option<f64>,
    open_fds: Option<f64>,
    max_fds: Option<f64>,
    start_seconds: Option<f64>,
}

impl Process {
    pub(super) fn read() -> Self {
        if cfg!(not(target_os = "linux")) {
            return Self::default();
        }
        let file = |path| fs::read_to_string(path).unwrap_or_default();
        let open_fds = fs::read_dir("/proc/self/fd").ok().and_then(|fds| u32::try_from(fds.count()).ok());
        // One of them is the one they were counted through.
        let open_fds = open_fds.map(|open| f64::from(open.saturating_sub(1)));
        Self {
            open_fds,
            ..Self::parse(
                &file("/proc/self/stat"),
                &file("/proc/self/status"),
                &file("/proc/self/limits"),
                &file("/proc/stat"),
            )
        }
    }

    fn parse(stat: &str, status: &str, limits: &str, system: &str) -> Self {
        // The second field is the program's name in parentheses, and may hold anything. The third stands after it.
        let fields: Vec<&str> =
            stat.rsplit_once(')').map_or_else(Vec::new, |(_, rest)| rest.split_whitespace().collect());
        let seconds = |field: usize| Some(fields.get(field - 3)?.parse::<f64>().ok()? / TICKS_PER_SECOND);
        let bytes = |name| Some(after(status, name)?.parse::<f64>().ok()? * 1024.0);
        let boot = || after(system, "btime")?.parse::<f64>().ok();
        Self {
            cpu_seconds: seconds(14).zip(seconds(15)).map(|(user, system)| user + system),
            resident_bytes: bytes("VmRSS:"),
            virtual_bytes: bytes("VmSize:"),
            open_fds: None,
            max_fds: after(limits, "Max open files").and_then(|most| most.parse().ok()),
            start_seconds: seconds(22).zip(boot()).map(|(since_boot, boot)| since_boot + boot),
        }
    }

    pub(super) fn write(self, out: &mut Exposition) {
        let rows = [
            ("process_cpu_seconds_total", Type::Counter, "Time on a CPU, in seconds.", self.cpu_seconds),
            ("process_max_fds", Type::Gauge, "File descriptors that may be open at once.", self.max_fds),
            ("process_open_fds", Type::Gauge, "File descriptors that are open.", self.open_fds),
            ("process_resident_memory_bytes", Type::Gauge, "Memory in RAM.", self.resident_bytes),
            ("process_start_time_seconds", Type::Gauge, "When the process started, in Unix time.", self.start_seconds),
            ("process_virtual_memory_bytes", Type::Gauge, "Address space.", self.virtual_bytes),
        ];
        for (name, kind, help, value) in rows {
            if let Some(value) = value {
                out.family(name, kind, help);
                out.float(name, "", value);
            }
        }
    }
}

/// The first word after `name` at the start of a line.
fn after<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_linux_are_understood() {
        let stat = "42 (a (b) c) S 1 42 42 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 4 0 12345 99 9 184 0";
        let status = "Name:\ta\nVmPeak:\t 9 kB\nVmSize:\t  2048 kB\nVmRSS:\t     512 kB\n";
        let limits = "Limit                     Soft Limit           Hard Limit           Units\nMax open files            1024                 4096                 files\n";
        let process = Process::parse(stat, status, limits, "cpu 1 2\nbtime 1000\n");
        let expected = Process {
            cpu_seconds: Some(3.0),
            resident_bytes: Some(524_288.0),
            virtual_bytes: Some(2_097_152.0),
            open_fds: None,
            max_fds: Some(1024.0),
            start_seconds: Some(1123.45),
        };
        assert_eq!(process, expected);
    }

    #[test]
    fn what_cannot_be_read_is_absent() {
        assert_eq!(Process::parse("", "", "Max open files unlimited", "btime x"), Process::default());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_very_process_is_known() {
        let process = Process::read();
        assert!(process.resident_bytes.unwrap() > 100_000.0 && process.resident_bytes < process.virtual_bytes);
        assert!(process.open_fds.unwrap() >= 3.0 && process.open_fds < process.max_fds);
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
        assert!((0.0..86_400.0).contains(&(now - process.start_seconds.unwrap())), "{process:?}");
    }
}
