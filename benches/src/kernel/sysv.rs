//! A System V message queue, as large as the kernel's limits allow. It outlives every process until it is removed.

use anyhow::Context as _;

use crate::harness::contender::{Contender, Direction, Receiver, Sender, Unavailable};
use crate::harness::message::Message;
use crate::harness::private_dir::{External, PrivateDir};
use crate::sys::sysv_mq::{MsgBuf, Queue};

use super::limit::limit;
use super::stream::{explain, whole};

/// `msgget(2)`, `msgsnd(2)`, `msgrcv(2)`.
#[derive(Debug)]
pub struct SystemVQueue;

/// Number of messages of `payload` bytes that a queue holds.
///
/// # Errors
/// The kernel does not state its limit.
pub fn depth(payload: usize) -> anyhow::Result<usize> {
    Ok(limit("/proc/sys/kernel/msgmnb")? / payload)
}

impl<const W: usize> Contender<W> for SystemVQueue {
    type Link = Queue;
    type Sender = Queue;
    type Receiver = QueueReceiver<W>;

    const NEVER_WAITS: bool = false;

    fn link(&self, dir: &PrivateDir, _: Direction) -> anyhow::Result<Queue> {
        let (size, whole_queue) = (limit("/proc/sys/kernel/msgmax")?, limit("/proc/sys/kernel/msgmnb")?);
        if W * 8 > size.min(whole_queue) {
            let needed = W * 8;
            return Err(Unavailable(format!(
                "System V queue: messages of {needed} bytes, but kernel.msgmax is {size}, kernel.msgmnb {whole_queue}: \
                 raise them with sysctl"
            ))
            .into());
        }
        let queue = Queue::private().map_err(|error| match error.raw_os_error() {
            Some(libc::ENOSPC) => anyhow::Error::new(Unavailable(
                "System V queue: kernel.msgmni is reached: raise it, or remove queues (ipcs -q, ipcrm)".into(),
            )),
            Some(libc::ENOSYS | libc::EACCES | libc::EPERM) => {
                Unavailable(format!("System V queue: {error}: the kernel or the sandbox does not offer it")).into()
            }
            _ => anyhow::Error::new(error).context("msgget"),
        })?;
        dir.note_external(External::SystemVQueue, &queue.id().to_string())?;
        Ok(queue)
    }

    fn sender(&self, queue: &Queue) -> anyhow::Result<Queue> {
        queue.bytes().context("msgctl IPC_STAT")?;
        Ok(*queue)
    }

    fn receiver(&self, queue: &Queue) -> anyhow::Result<QueueReceiver<W>> {
        Ok(QueueReceiver { queue: *queue, message: MsgBuf::new([0; W]) })
    }
}

impl<const W: usize> Sender<W> for Queue {
    fn send(&mut self, message: &Message<W>) -> anyhow::Result<()> {
        Queue::send(*self, &MsgBuf::new(*message)).map_err(explain)
    }
}

/// The receiving end.
#[derive(Debug)]
pub struct QueueReceiver<const W: usize> {
    queue: Queue,
    message: MsgBuf<W>,
}

impl<const W: usize> Receiver<W> for QueueReceiver<W> {
    fn receive<R>(&mut self, look: impl FnOnce(&Message<W>) -> R) -> anyhow::Result<R> {
        let length = self.queue.receive(&mut self.message).map_err(explain)?;
        whole::<W>(length)?;
        Ok(look(&self.message.words))
    }
}
