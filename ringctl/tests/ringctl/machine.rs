//! Made-up machines: directories that `doctor` examines instead of /proc, /sys, /etc, /run and /usr.

use std::fs;
use std::path::Path;

use feed_testing::PrivateRoot;
use serde_json::Value;

use crate::rings::ringctl;

/// A directory with the `proc`, `sys` and `etc` of a machine.
pub(crate) struct Machine(tempfile::TempDir);

impl Machine {
    /// A machine on which every check is ok.
    pub(crate) fn fit() -> Self {
        let machine = Machine(tempfile::tempdir().unwrap());
        machine.sysctls(&[
            ("kernel/shmmax", "18446744073692774399"),
            ("kernel/shmall", "18446744073692774399"),
            ("kernel/shmmni", "4096"),
            ("kernel/shm_rmid_forced", "0"),
            ("kernel/sem", "32000\t1024000000\t500\t32000"),
            ("kernel/msgmax", "8192"),
            ("kernel/msgmnb", "16384"),
            ("kernel/msgmni", "32000"),
            ("kernel/osrelease", "6.18.44-1-amd64"),
            ("fs/mqueue/msg_max", "10"),
            ("fs/mqueue/msgsize_max", "8192"),
            ("fs/mqueue/msg_default", "10"),
            ("fs/mqueue/msgsize_default", "8192"),
            ("fs/mqueue/queues_max", "256"),
            ("fs/pipe-max-size", "1048576"),
            ("fs/pipe-user-pages-soft", "16384"),
        ]);
        machine.limits("unlimited", "819200");
        machine.proc_is_mounted();
        machine.put("proc/self/cgroup", "0::/feeds.slice/quotes.service\n");
        machine.put("proc/meminfo", "MemTotal: 1 kB\nHugePages_Total: 8\nHugePages_Free: 3\nHugepagesize: 2048 kB\n");
        machine.put("proc/self/mountinfo", "1 0 0:1 / / rw,noatime - tmpfs tmpfs rw,size=1k,huge=advise\n");
        machine.put("proc/1/comm", "systemd\n");
        machine.put("sys/fs/cgroup/feeds.slice/memory.max", "max\n");
        machine.put("sys/fs/cgroup/feeds.slice/memory.current", "1000\n");
        machine
            .put("sys/kernel/mm/transparent_hugepage/shmem_enabled", "always within_size [advise] never deny force\n");
        machine.put("sys/devices/system/node/online", "0\n");
        machine.put("sys/devices/system/cpu/isolated", "2-3\n");
        machine.put("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance\n");
        machine.put("sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n");
        machine.put("etc/systemd/logind.conf", "[Login]\n#RemoveIPC=yes\nRemoveIPC=no\n");
        machine
    }

    /// A machine on which nothing can be read.
    pub(crate) fn blank() -> Self {
        let machine = Machine(tempfile::tempdir().unwrap());
        for folder in ["proc", "sys", "etc", "run", "usr"] {
            fs::create_dir(machine.0.path().join(folder)).unwrap();
        }
        machine.proc_is_mounted();
        machine
    }

    fn proc_is_mounted(&self) {
        fs::create_dir_all(self.0.path().join("proc/self/fd")).unwrap();
    }

    pub(crate) fn put(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn sysctls(&self, values: &[(&str, &str)]) {
        for (path, text) in values {
            self.put(&format!("proc/sys/{path}"), &format!("{text}\n"));
        }
    }

    pub(crate) fn limits(&self, locked: &str, queue: &str) {
        self.limits_with_file_size(locked, queue, "unlimited");
    }

    pub(crate) fn limits_with_file_size(&self, locked: &str, queue: &str, file: &str) {
        self.put(
            "proc/self/limits",
            &format!(
                "Limit                     Soft Limit           Hard Limit           Units\n\
                 Max file size             {file:<20} unlimited            bytes\n\
                 Max locked memory         {locked:<20} unlimited            bytes\n\
                 Max msgqueue size         {queue:<20} 819200               bytes\n"
            ),
        );
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn arguments(&self) -> Vec<String> {
        let path = |folder: &str| self.0.path().join(folder).display().to_string();
        ["proc", "sys", "etc", "run", "usr"].iter().flat_map(|name| [format!("--{name}-root"), path(name)]).collect()
    }

    /// The exit code of `doctor` on this machine, and its checks.
    pub(crate) fn examine(&self, root: &PrivateRoot, more: &[&str]) -> (i32, Vec<Value>) {
        let arguments = self.arguments();
        let mut command = ringctl(root, &["--json", "doctor"]);
        let output = command.args(&arguments).args(more).output().unwrap();
        let checks: Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code().unwrap(), checks.as_array().unwrap().clone())
    }

    /// One of its checks.
    pub(crate) fn check(&self, root: &PrivateRoot, what: &str) -> Value {
        let (_, checks) = self.examine(root, &[]);
        checks.iter().find(|check| check["what"] == what).unwrap_or_else(|| panic!("{what}: {checks:?}")).clone()
    }
}
