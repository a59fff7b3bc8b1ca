//! What the kernel knows of a process: its CPU time and its memory.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// User and system time of all threads, living and ended; 0 of a process that is gone.
pub fn cpu_seconds(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name in parentheses may hold anything, even a parenthesis; behind it the fields are numbers.
    let fields: Vec<&str> = stat.rsplit_once(')').map_or("", |(_, fields)| fields).split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    // Fields 14 and 15 of the whole line, of which two stand before the parenthesis closes.
    (ticks(11) + ticks(12)) as f64 / rustix::param::clock_ticks_per_second() as f64
}

/// The share of memory that is its own: pages that several processes map are divided between them.
pub fn pss_bytes(pid: u32) -> u64 {
    kilobytes(&format!("/proc/{pid}/smaps_rollup"), "Pss:") * 1_024
}

pub fn rss_bytes(pid: u32) -> u64 {
    kilobytes(&format!("/proc/{pid}/status"), "VmRSS:") * 1_024
}

fn kilobytes(path: &str, name: &str) -> u64 {
    let text = fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// Watches the PSS of some processes, all together, from a thread of its own: the walk over their pages takes
/// milliseconds in which no answer would be read.
pub struct PeakMemory {
    stop: Arc<AtomicBool>,
    watch: JoinHandle<u64>,
}

impl PeakMemory {
    pub fn of(pids: Vec<u32>) -> Self {
        const EVERY: Duration = Duration::from_millis(250);
        let stop = Arc::new(AtomicBool::new(false));
        let told = stop.clone();
        let watch = std::thread::spawn(move || {
            let mut peak = 0;
            loop {
                peak = peak.max(pids.iter().map(|pid| pss_bytes(*pid)).sum());
                if told.load(Ordering::Relaxed) {
                    return peak;
                }
                std::thread::park_timeout(EVERY);
            }
        });
        PeakMemory { stop, watch }
    }

    pub fn bytes(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.watch.thread().unpark();
        self.watch.join().unwrap_or(0)
    }
}

/// 10,000 sockets need as many descriptors, here and in the hub, which inherits the limit.
pub fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}
