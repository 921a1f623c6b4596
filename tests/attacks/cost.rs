//! What a request costs the hub, read from the kernel: CPU of all its threads, and the most memory it held.

use std::time::Duration;

use roomtone_tests::TestVenue;

use crate::wire::ask;

/// CPU time of a process and its threads, in nanoseconds.
fn cpu_ns(pid: u32) -> u64 {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    let runs = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("schedstat")).ok());
    runs.filter_map(|text| text.split(' ').next()?.parse::<u64>().ok()).sum()
}

fn status_kib(pid: u32, key: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap();
    line.trim_start_matches(':').trim().trim_end_matches(" kB").parse().unwrap()
}

/// What something cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) cpu: Duration,
    pub(crate) peak_kib: u64,
}

/// What `work` cost the venue's hub: the CPU of all of it, and by how much its memory rose above what it held before.
pub(crate) fn cost_of(venue: &TestVenue, work: impl FnOnce()) -> Cost {
    let pid = venue.hub().id();
    // Writing 5 makes the kernel count the peak anew from now on.
    std::fs::write(format!("/proc/{pid}/clear_refs"), "5").unwrap();
    let (cpu, held) = (cpu_ns(pid), status_kib(pid, "VmRSS"));
    work();
    Cost {
        cpu: Duration::from_nanos(cpu_ns(pid) - cpu),
        peak_kib: status_kib(pid, "VmHWM").saturating_sub(held),
    }
}

/// Questions that count as one in [`assert_cheap`].
const TRIES: u32 = 5;

/// `hostile` must cost the hub at most ten times as much CPU as an honest page of all that a guest may see (in a release
/// build: 50 ms at most), and 10 MiB.
///
/// A ratio, because this runs on debug builds and on busy machines; both are asked in turns, and the best of each counts.
pub(crate) fn assert_cheap(venue: &TestVenue, mut hostile: impl FnMut()) {
    const HONEST: &str = "{ venue { id name zones { id name players { id name status } } } songs(first: 100) { nodes { id title artist album durationMs bpm key kind explicit color isCached mediaUrl axes { name value } } } vibe { axes { name value } } syncStatus { state } }";
    let (mut honest, mut attack, mut peak) = (Duration::MAX, Duration::MAX, u64::MAX);
    hostile();
    for _ in 0..TRIES {
        honest = honest.min(cost_of(venue, || drop(ask(venue, HONEST))).cpu);
        let cost = cost_of(venue, &mut hostile);
        attack = attack.min(cost.cpu);
        peak = peak.min(cost.peak_kib);
    }
    let bound = (honest * 10).max(Duration::from_millis(50));
    assert!(attack <= bound, "cost {attack:?} of CPU, an honest question {honest:?}");
    assert!(peak <= 10 * 1024, "cost {peak} KiB of memory");
}
