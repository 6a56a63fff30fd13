//! The rows of the kernel's mechanisms.

use crate::row::{Kind, Row};

use super::{eventfd, fifo, monitor, pipe, posix, splice, sysv, tcp, unix};

/// Messages that a queue in shared memory holds.
const CAPACITY: usize = 1_024;

/// The rows for messages of 56 bytes and, in a full report, of 1,016 bytes.
pub fn rows() -> Vec<Row> {
    let mut rows = of_size::<7>();
    rows.extend(of_size::<127>().into_iter().map(Row::only_full));
    rows
}

fn of_size<const W: usize>() -> Vec<Row> {
    let bytes = W * 8;
    let name = |mechanism: &str| format!("{mechanism} {bytes}");
    let posix_depth = posix::depth().ok();
    let sysv_depth = sysv::depth(bytes).ok();
    vec![
        Row::new::<_, W>(Kind::Kernel, name("pipe"), None, pipe::Pipe),
        Row::new::<_, W>(Kind::Kernel, name("fifo"), None, fifo::Fifo),
        Row::new::<_, W>(Kind::Kernel, name("pipe splice"), None, splice::Splice),
        Row::new::<_, W>(Kind::Kernel, name("unix stream"), None, unix::Stream),
        Row::new::<_, W>(Kind::Kernel, name("unix seqpacket"), None, unix::SeqPacket),
        Row::new::<_, W>(Kind::Kernel, name("unix datagram"), None, unix::Datagram),
        Row::new::<_, W>(Kind::Kernel, name("tcp loopback"), None, tcp::Tcp),
        Row::new::<_, W>(Kind::Kernel, name("posix mq"), posix_depth, posix::PosixQueue),
        Row::new::<_, W>(Kind::Kernel, name("sysv mq"), sysv_depth, sysv::SystemVQueue),
        Row::new::<_, W>(
            Kind::Kernel,
            name("shm mutex condvar"),
            Some(CAPACITY),
            monitor::MutexCondvar { capacity: CAPACITY },
        ),
        Row::new::<_, W>(Kind::Kernel, name("shm eventfd"), Some(CAPACITY), eventfd::EventFd { capacity: CAPACITY }),
    ]
}
