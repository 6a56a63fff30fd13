//! iceoryx2, publish-subscribe with overflow: between processes, a queue for each subscriber.
//!
//! Its files go into the measurement's directory. Its shared memory has a name that begins with the measurement's.

use std::time::Instant;

use iceoryx2::config::Config;
use iceoryx2::node::{Node, NodeBuilder};
use iceoryx2::port::publisher::Publisher;
use iceoryx2::port::subscriber::Subscriber;
use iceoryx2::port::update_connections::UpdateConnections as _;
use iceoryx2::prelude::{LogLevel, ServiceName, SignalHandlingMode, set_log_level};
use iceoryx2::service::ipc::Service;
use iceoryx2::service::port_factory::PortFactory as _;
use iceoryx2::service::port_factory::publish_subscribe::PortFactory;

use crate::harness::contender::{Contender, Direction, Receiver, Sender};
use crate::harness::message::Message;
use crate::harness::patience::PATIENCE;
use crate::harness::private_dir::{External, PrivateDir};

/// Messages in the subscriber's queue.
pub(super) const CAPACITY: usize = 1_024;

/// A publish-subscribe service.
#[derive(Debug)]
pub(super) struct Iceoryx;

/// The configuration with the directory for files, and the name of the service.
pub(super) struct Link {
    config: Config,
    service: String,
}

/// A link whose files and shared memory belong to the measurement.
pub(super) fn link(dir: &PrivateDir, service: &str) -> anyhow::Result<Link> {
    let prefix = dir.unique_name("iox2.");
    dir.note_external(External::SharedMemory, &prefix)?;
    let mut config = Config::default();
    config.global.prefix = prefix.as_str().try_into().map_err(|error| anyhow::anyhow!("prefix {prefix}: {error:?}"))?;
    let root = dir.join("iceoryx2");
    let root = root.to_string_lossy();
    config.global.set_root_path(&root.as_ref().try_into().map_err(|error| anyhow::anyhow!("root {root}: {error:?}"))?);
    Ok(Link { config, service: service.to_owned() })
}

impl Link {
    /// A node of this process.
    pub(super) fn node(&self) -> anyhow::Result<Node<Service>> {
        set_log_level(LogLevel::Error);
        Ok(NodeBuilder::new()
            .config(&self.config)
            .signal_handling_mode(SignalHandlingMode::Disabled)
            .create::<Service>()?)
    }

    /// The name of the service.
    pub(super) fn service(&self) -> anyhow::Result<ServiceName> {
        Ok(ServiceName::new(&self.service)?)
    }

    fn open<const W: usize>(&self) -> anyhow::Result<(Node<Service>, PortFactory<Service, Message<W>, ()>)> {
        let node = self.node()?;
        let service = node
            .service_builder(&self.service()?)
            .publish_subscribe::<Message<W>>()
            .subscriber_max_buffer_size(CAPACITY)
            .enable_safe_overflow(true)
            .max_publishers(1)
            .max_subscribers(1)
            .open_or_create()?;
        Ok((node, service))
    }
}

impl<const W: usize> Contender<W> for Iceoryx {
    type Link = Link;
    type Sender = IceoryxSender<W>;
    type Receiver = IceoryxReceiver<W>;

    const NEVER_WAITS: bool = true;

    fn link(&self, dir: &PrivateDir, direction: Direction) -> anyhow::Result<Link> {
        link(dir, direction.name())
    }

    fn sender(&self, link: &Link) -> anyhow::Result<IceoryxSender<W>> {
        let (node, service) = link.open()?;
        let publisher = service.publisher_builder().create()?;
        // A message sent before the subscriber appears is lost, and only sending looks for new subscribers. So wait for
        // it here.
        let began = Instant::now();
        while service.dynamic_config().number_of_subscribers() == 0 {
            anyhow::ensure!(began.elapsed() < PATIENCE, "no subscriber within {} s", PATIENCE.as_secs());
            std::thread::yield_now();
        }
        publisher.update_connections()?;
        Ok(IceoryxSender { publisher, _node: node })
    }

    fn receiver(&self, link: &Link) -> anyhow::Result<IceoryxReceiver<W>> {
        let (node, service) = link.open()?;
        Ok(IceoryxReceiver { subscriber: service.subscriber_builder().create()?, _node: node })
    }
}

/// The sending end.
pub(super) struct IceoryxSender<const W: usize> {
    publisher: Publisher<Service, Message<W>, ()>,
    _node: Node<Service>,
}

/// The receiving end.
pub(super) struct IceoryxReceiver<const W: usize> {
    subscriber: Subscriber<Service, Message<W>, ()>,
    _node: Node<Service>,
}

impl<const W: usize> Sender<W> for IceoryxSender<W> {
    #[inline(always)]
    fn send(&mut self, message: &Message<W>) -> anyhow::Result<()> {
        self.publisher.loan_uninit()?.write_payload(*message).send()?;
        Ok(())
    }
}

impl<const W: usize> Receiver<W> for IceoryxReceiver<W> {
    #[inline(always)]
    fn receive<R>(&mut self, look: impl FnOnce(&Message<W>) -> R) -> anyhow::Result<R> {
        loop {
            if let Some(sample) = self.subscriber.receive()? {
                return Ok(look(sample.payload()));
            }
            std::hint::spin_loop();
        }
    }
}
