//! A POSIX message queue with `mq_timedsend` and `mq_timedreceive`, as large as the kernel's limits allow.
//!
//! The name outlives every process until it is unlinked. Here the receiver unlinks it once both sides have the queue
//! open.

use std::io;

use anyhow::Context as _;
use zerocopy::{FromZeros as _, IntoBytes as _};

use crate::harness::contender::{Contender, Direction, Receiver, Sender, Unavailable};
use crate::harness::message::Message;
use crate::harness::patience::{PATIENCE, until_there};
use crate::harness::private_dir::{External, PrivateDir};
use crate::sys::posix_mq::{Access, Queue, open, unlink};

use super::limit::limit;
use super::stream::{explain, whole};

/// `mq_open(3)`, `mq_timedsend(3)`, `mq_timedreceive(3)`.
#[derive(Debug)]
pub struct PosixQueue;

/// A queue's name and the open queue. It exists before either side opens it by name.
#[derive(Debug)]
pub struct Link {
    name: String,
    _queue: Queue,
}

/// Number of messages that the queue of an unprivileged process may hold.
pub fn depth() -> anyhow::Result<usize> {
    limit("/proc/sys/fs/mqueue/msg_max")
}

impl<const W: usize> Contender<W> for PosixQueue {
    type Link = Link;
    type Sender = QueueSender;
    type Receiver = QueueReceiver<W>;

    const NEVER_WAITS: bool = false;

    fn link(&self, dir: &PrivateDir, direction: Direction) -> anyhow::Result<Link> {
        let (depth, size) = (depth()?, limit("/proc/sys/fs/mqueue/msgsize_max")?);
        if W * 8 > size {
            let needed = W * 8;
            return Err(Unavailable(format!(
                "POSIX queue: messages of {needed} bytes, but fs.mqueue.msgsize_max is {size}: raise it with sysctl"
            ))
            .into());
        }
        let name = dir.unique_name(direction.name());
        dir.note_external(External::PosixQueue, &name)?;
        let queue = open(&name, Access::Create { depth, size: W * 8 }).map_err(|error| match error.raw_os_error() {
            Some(libc::EMFILE) => anyhow::Error::new(Unavailable(format!(
                "POSIX queue of {depth} x {} bytes: RLIMIT_MSGQUEUE is used up: raise it with ulimit -q",
                W * 8
            ))),
            Some(libc::ENOSPC) => {
                Unavailable("POSIX queue: fs.mqueue.queues_max is reached: raise it with sysctl".into()).into()
            }
            Some(libc::ENOSYS | libc::EACCES | libc::EPERM) => {
                Unavailable(format!("POSIX queue: {error}: the kernel or the sandbox does not offer it")).into()
            }
            _ => anyhow::Error::new(error).context(format!("mq_open /{name}")),
        })?;
        Ok(Link { name, _queue: queue })
    }

    fn sender(&self, link: &Link) -> anyhow::Result<QueueSender> {
        Ok(QueueSender { queue: open(&link.name, Access::Send).with_context(|| format!("mq_open /{}", link.name))? })
    }

    fn receiver(&self, link: &Link) -> anyhow::Result<QueueReceiver<W>> {
        let queue = until_there("mq_open", || open(&link.name, Access::Receive))?;
        Ok(QueueReceiver { queue, name: Some(link.name.clone()), message: Message::new_zeroed() })
    }
}

/// The sending end.
#[derive(Debug)]
pub struct QueueSender {
    queue: Queue,
}

impl<const W: usize> Sender<W> for QueueSender {
    fn send(&mut self, message: &Message<W>) -> anyhow::Result<()> {
        self.queue.send(message.as_bytes(), PATIENCE).map_err(explain)
    }
}

/// The receiving end.
#[derive(Debug)]
pub struct QueueReceiver<const W: usize> {
    queue: Queue,
    /// The name, until the first message arrives: by then the sender has the queue open.
    name: Option<String>,
    message: Message<W>,
}

impl<const W: usize> Receiver<W> for QueueReceiver<W> {
    fn receive<R>(&mut self, look: impl FnOnce(&Message<W>) -> R) -> anyhow::Result<R> {
        let length = self.queue.receive(self.message.as_mut_bytes(), PATIENCE).map_err(explain)?;
        whole::<W>(length)?;
        if let Some(name) = self.name.take() {
            match unlink(&name) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("mq_unlink /{name}"));
                }
                _ => {}
            }
        }
        Ok(look(&self.message))
    }
}
