//! iceoryx2's blackboard: two copies of each value, and a counter that its reader compares and exchanges.

use iceoryx2::node::Node;
use iceoryx2::port::reader::EntryHandle;
use iceoryx2::port::writer::EntryHandleMut;
use iceoryx2::service::ipc::Service;

use crate::harness::message::{self, Message};
use crate::harness::newest::contender::{KEY, Keeper, ROWS, Reader, Writer};
use crate::harness::private_dir::PrivateDir;

use super::iceoryx::{self, Link};

/// A blackboard service with a value for each key.
#[derive(Debug)]
pub(super) struct Blackboard;

impl<const W: usize> Keeper<W> for Blackboard {
    type Link = Link;
    type Writer = EntryWriter<W>;
    type Reader = EntryReader<W>;

    fn link(&self, dir: &PrivateDir) -> anyhow::Result<Link> {
        iceoryx::link(dir, "newest")
    }

    fn writer(&self, link: &Link) -> anyhow::Result<EntryWriter<W>> {
        let node = link.node()?;
        let mut creator = node.service_builder(&link.service()?).blackboard_creator::<u64>();
        for key in 0..ROWS as u64 {
            creator = creator.add::<Message<W>>(key, message::pattern(0, 0));
        }
        let service = creator.create()?;
        let entry = service.writer_builder().create()?.entry(&KEY)?;
        Ok(EntryWriter { entry, _node: node })
    }

    fn reader(&self, link: &Link) -> anyhow::Result<EntryReader<W>> {
        let node = link.node()?;
        let service = node.service_builder(&link.service()?).blackboard_opener::<u64>().open()?;
        let entry = service.reader_builder().create()?.entry(&KEY)?;
        Ok(EntryReader { entry, _node: node })
    }
}

/// The storing end.
pub(super) struct EntryWriter<const W: usize> {
    entry: EntryHandleMut<Service, u64, Message<W>>,
    _node: Node<Service>,
}

/// The reading end.
pub(super) struct EntryReader<const W: usize> {
    entry: EntryHandle<Service, u64, Message<W>>,
    _node: Node<Service>,
}

impl<const W: usize> Writer<W> for EntryWriter<W> {
    #[inline(always)]
    fn store(&mut self, value: &Message<W>) -> anyhow::Result<()> {
        self.entry.update_with_copy(*value);
        Ok(())
    }
}

impl<const W: usize> Reader<W> for EntryReader<W> {
    #[inline(always)]
    fn read<R>(&mut self, look: impl FnOnce(&Message<W>) -> R) -> anyhow::Result<R> {
        Ok(look(&self.entry.get()))
    }
}
