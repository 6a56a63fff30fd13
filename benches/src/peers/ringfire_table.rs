//! ringfire's table of newest values, which it calls a blackboard: one copy of each row, behind a sequence lock.
//!
//! A reader maps it writable. It fails once a writer has left a row half stored for 100 ms.

use std::path::PathBuf;

use anyhow::Context as _;
use ringfire::{BlackboardConsumer, BlackboardProducer};

use crate::harness::message::Message;
use crate::harness::newest::contender::{KEY, Keeper, ROWS, Reader, Writer};
use crate::harness::private_dir::PrivateDir;

/// A table with its defaults.
#[derive(Debug)]
pub(super) struct RingfireTable;

impl<const W: usize> Keeper<W> for RingfireTable {
    type Link = PathBuf;
    type Writer = BlackboardProducer<Message<W>>;
    type Reader = BlackboardConsumer<Message<W>>;

    fn link(&self, dir: &PrivateDir) -> anyhow::Result<PathBuf> {
        Ok(dir.join("table.ringfire"))
    }

    fn writer(&self, path: &PathBuf) -> anyhow::Result<Self::Writer> {
        Ok(BlackboardProducer::create(path, ROWS)?)
    }

    fn reader(&self, path: &PathBuf) -> anyhow::Result<Self::Reader> {
        Ok(BlackboardConsumer::attach(path)?)
    }
}

impl<const W: usize> Writer<W> for BlackboardProducer<Message<W>> {
    #[inline(always)]
    fn store(&mut self, value: &Message<W>) -> anyhow::Result<()> {
        Ok(self.write(KEY as usize, value)?)
    }
}

impl<const W: usize> Reader<W> for BlackboardConsumer<Message<W>> {
    #[inline(always)]
    fn read<R>(&mut self, look: impl FnOnce(&Message<W>) -> R) -> anyhow::Result<R> {
        Ok(look(&BlackboardConsumer::read(self, KEY as usize)?.context("nothing was stored")?))
    }
}
