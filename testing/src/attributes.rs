//! What the kernel knows of a running program, from `/proc`.

use std::time::Duration;

use crate::program::Program;

impl Program {
    /// The text of `/proc/PID/file`; `None` if this user may not read it.
    pub fn proc(&self, file: &str) -> Option<String> {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.id())).ok()
    }

    /// The value of a line of `/proc/PID/status`, by its name with the colon.
    ///
    /// # Panics
    /// If the program has ended or there is no such line.
    pub fn status(&self, name: &str) -> String {
        let status = self.proc("status").expect("the status of a running program");
        let value = status.lines().find_map(|line| line.strip_prefix(name));
        value.unwrap_or_else(|| panic!("{name} is not in {status}")).trim().to_owned()
    }

    /// Waits until the program handles SIGTERM: before that, the signal would kill it.
    ///
    /// # Panics
    /// If the program ends before.
    pub fn wait_for_handlers(&self) {
        const SIGTERM: u32 = 15;
        let handles =
            || u64::from_str_radix(&self.status("SigCgt:"), 16).is_ok_and(|mask| mask & (1 << (SIGTERM - 1)) != 0);
        while !handles() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
