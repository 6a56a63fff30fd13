//! Tells whether a process sleeps.

use std::time::Duration;

/// Whether all threads of a process sleep, three times in a row. Once could be the pause between two polls.
pub fn sleeps(pid: u32) -> bool {
    let asleep = || {
        let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        tasks.into_iter().all(|task| {
            let stat = std::fs::read_to_string(task.path().join("stat")).unwrap_or_default();
            stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('S'))
        })
    };
    (0..3).all(|_| {
        std::thread::sleep(Duration::from_millis(1));
        asleep()
    })
}
