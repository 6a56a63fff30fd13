//! What is refused, and with which error: names, capacities, modes, files that are not a ring's, rings of other
//! programs.

use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::PathBuf;

use feed_ring::raw::{self, MessageFormat};
use feed_ring::{CreateError, OpenError, Payload, Publisher, PublisherOptions, Subscriber};
use feed_testing::{PrivateRoot, skipped};

/// Makes a closed and kept ring of `u64`s called `r`.
fn ring(root: &PrivateRoot) -> PathBuf {
    let mut publisher = Publisher::<u64>::options("r").root(root).capacity(4).keep(true).create().unwrap();
    publisher.publish(&1);
    publisher.close().unwrap();
    root.path().join("r.ring")
}

fn open<T: Payload>(root: &PrivateRoot) -> OpenError {
    Subscriber::<T>::options("r").root(root).open().map(|_| ()).expect_err("it should be refused")
}

fn create(root: &PrivateRoot) -> CreateError {
    Publisher::<u64>::options("r").root(root).create().map(|_| ()).expect_err("it should be refused")
}

/// Overwrites one word of the segment's header.
fn damage(ring: &std::path::Path, word: u64, value: u64) {
    let segment = fs::OpenOptions::new().write(true).open(ring.join("segment")).unwrap();
    segment.write_all_at(&value.to_ne_bytes(), word * 8).unwrap();
}

#[test]
fn invalid_names_are_refused() {
    let root = PrivateRoot::new();
    for name in ["", "a/b", "..", ".a", "a\0b", &"x".repeat(300)] {
        let error = Publisher::<u64>::options(name).root(&root).create().unwrap_err();
        assert!(matches!(error, CreateError::Name(_)), "{error}");
        assert!(error.to_string().contains("use 1 to 200 of"), "{error}");
        assert!(matches!(Subscriber::<u64>::options(name).root(&root).open(), Err(OpenError::Name(_))));
    }
    assert_eq!(root.names(), [""; 0]);
}

#[test]
fn invalid_capacities_are_refused() {
    let root = PrivateRoot::new();
    for (capacity, nearest) in [(0, 2), (1, 2), (3, 4), (1000, 1024), (1 << 40, 1 << 32)] {
        match Publisher::<u64>::options("r").root(&root).capacity(capacity).create() {
            Err(CreateError::Capacity { found, nearest: n }) => assert_eq!((found, n), (capacity as u64, nearest)),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(root.names(), [""; 0]);
}

#[test]
fn too_little_room_leaves_nothing_behind() {
    let root = PrivateRoot::new();
    match Publisher::<[u64; 512]>::options("r").root(&root).capacity(1 << 32).create() {
        Err(CreateError::NoRoom { needed, free, .. }) => assert!(needed > free),
        other => panic!("{other:?}"),
    }
    assert_eq!(root.names(), [""; 0]);
}

#[test]
fn invalid_modes_are_refused_and_valid_ones_exact() {
    let root = PrivateRoot::new();
    for mode in [0, 0o400, 0o700, 0o1600, 0o604 | 0o100] {
        let error = Publisher::<u64>::options("r").root(&root).mode(mode).create().unwrap_err();
        assert!(matches!(error, CreateError::Mode { found } if found == mode), "{error}");
    }
    let publisher = Publisher::<u64>::options("r").root(&root).mode(0o640).create().unwrap();
    let mode = |name: &str| fs::metadata(publisher.path().unwrap().join(name)).unwrap().permissions().mode() & 0o7777;
    assert_eq!(
        [mode(""), mode("segment"), mode("control"), mode("live"), mode("lock")],
        [0o750, 0o640, 0o660, 0o640, 0o600]
    );
}

/// Whatever the order of the options, and even if the root is the default one.
#[test]
fn no_sealed_ring_is_made_with_an_option_of_rings_on_disk() {
    let root = PrivateRoot::new();
    let socket = root.path().join("s");
    let sealed = || Publisher::<u64>::options("r").capacity(2).serve(&socket);
    let check = |options: PublisherOptions<u64>, expected: &str| {
        let error = options.create().map(|_| ()).expect_err(expected);
        assert!(matches!(error, CreateError::SealedOption { option } if option == expected), "{error}");
        let text = error.to_string();
        assert!(text.starts_with(&format!("{expected}: a sealed ring ")), "{text}");
        assert!(text.ends_with(": leave it out, or publish a ring on disk"), "{text}");
    };
    check(sealed().root(&root), "root");
    check(sealed().root("/dev/shm"), "root");
    check(Publisher::options("r").root(&root).serve(&socket), "root");
    check(sealed().keep(true), "keep");
    check(sealed().fresh(true), "fresh");
    let options = raw::Publisher::options("r", MessageFormat::of::<u64>()).keep(true).serve(&socket);
    assert!(matches!(options.create_raw(), Err(CreateError::SealedOption { option: "keep" })));
    assert_eq!(root.names(), [""; 0]);
    assert!(sealed().keep(false).fresh(false).create().is_ok());
}

#[test]
fn no_ring_on_disk_is_made_with_an_option_of_sealed_rings() {
    let root = PrivateRoot::new();
    let on_disk = || Publisher::<u64>::options("r").root(&root).capacity(2);
    for (options, expected) in [
        (on_disk().allow_uid(0), "allow_uid"),
        (on_disk().allow_gid(0), "allow_gid"),
        (on_disk().max_clients(256), "max_clients"),
    ] {
        let error = options.create().map(|_| ()).expect_err(expected);
        assert!(matches!(error, CreateError::DiskOption { option } if option == expected), "{error}");
        let says = format!("{expected}: only a sealed ring is served: leave it out ");
        assert!(error.to_string().starts_with(&says), "{error}");
    }
    let options = raw::Publisher::options("r", MessageFormat::of::<u64>()).root(&root).max_clients(1);
    assert!(matches!(options.create_raw(), Err(CreateError::DiskOption { option: "max_clients" })));
    assert_eq!(root.names(), [""; 0]);
}

/// The first word is text, which looks alike in both.
#[test]
fn a_ring_of_the_other_byte_order_is_refused_by_its_abi() {
    let root = PrivateRoot::new();
    let segment = ring(&root).join("segment");
    let mut bytes = fs::read(&segment).unwrap();
    bytes[8..].chunks_exact_mut(8).for_each(<[u8]>::reverse);
    fs::write(&segment, bytes).unwrap();
    let error = open::<u64>(&root);
    assert!(matches!(error, OpenError::Abi { found, .. } if found == 1_u64.swap_bytes()), "{error}");
}

#[test]
fn no_sealed_ring_is_opened_with_a_root() {
    let root = PrivateRoot::new();
    let socket = root.path().join("s");
    let _publisher = Publisher::<u64>::options("r").capacity(2).serve(&socket).create().unwrap();
    for given in [root.path(), "/dev/shm".as_ref()] {
        let error = Subscriber::<u64>::connect(&socket).root(given).open().unwrap_err();
        assert!(matches!(error, OpenError::SealedOption { option: "root" }), "{error}");
        assert_eq!(
            error.to_string(),
            "root: a sealed ring stands in no directory: leave it out, or open a ring on disk"
        );
        let error = raw::Subscriber::connect(&socket).root(given).open_raw().unwrap_err();
        assert!(matches!(error, OpenError::SealedOption { option: "root" }), "{error}");
    }
    assert!(Subscriber::<u64>::connect(&socket).open().is_ok());
}

#[test]
fn a_ring_of_other_messages_is_refused() {
    #[derive(Clone, Copy, Payload)]
    #[repr(C)]
    struct Tick {
        price: i64,
    }
    let root = PrivateRoot::new();
    ring(&root);
    let error = open::<Tick>(&root);
    assert!(matches!(error, OpenError::Payload { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("carries u64 (8 bytes") && text.contains("expects Tick (8 bytes"), "{text}");
    assert!(text.contains("value is u64 at byte 0 in the ring and missing in this program"), "{text}");
    assert!(text.contains("price is missing in the ring and i64 at byte 0 in this program"), "{text}");
    assert!(text.contains("rebuild the older side"), "{text}");
}

#[test]
fn a_ring_of_another_version_is_refused() {
    let root = PrivateRoot::new();
    damage(&ring(&root), 1, 4);
    let error = open::<u64>(&root);
    assert!(matches!(error, OpenError::Abi { found: 4, .. }), "{error}");
    assert!(error.to_string().ends_with("ABI 4, this program speaks 1 to 3: rebuild the older side"), "{error}");
}

#[test]
fn a_damaged_geometry_is_refused() {
    for (word, what) in [
        (48, "start of the slots"),
        (49, "slot's size"),
        (50, "capacity"),
        (51, "payload's size"),
        (53, "fingerprint"),
        (54, "schema's length"),
        (56, "first sequence"),
    ] {
        for value in [0, 1, 3, 192, 4097, u64::MAX, 1 << 63, (1 << 61) + 1] {
            let root = PrivateRoot::new();
            let ring = ring(&root);
            damage(&ring, word, value);
            match Subscriber::<u64>::options("r").root(&root).open() {
                Err(OpenError::Geometry { what, found, .. }) => {
                    assert!(
                        what != "the size of the segment" || word == 50 || word == 49 || word == 48,
                        "{what} {found}"
                    );
                }
                Err(OpenError::Payload { .. }) if word == 51 => {}
                Ok(_) if word == 56 && value < 1 << 62 => {}
                other => panic!("{what} of {value}: {other:?}"),
            }
        }
    }
}

#[test]
fn a_segment_cut_short_is_refused() {
    let root = PrivateRoot::new();
    let segment = ring(&root).join("segment");
    for (bytes, expected) in [(4096, "damaged"), (640, "damaged"), (100, "not a ring"), (0, "not a ring")] {
        fs::OpenOptions::new().write(true).open(&segment).unwrap().set_len(bytes).unwrap();
        let error = open::<u64>(&root).to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_missing_ring_is_refused() {
    let root = PrivateRoot::new();
    let error = open::<u64>(&root);
    assert!(matches!(error, OpenError::NotFound { .. }), "{error}");
    assert!(error.to_string().contains("start its publisher"), "{error}");
}

/// Replaces each of a ring's files by something else.
#[test]
fn files_of_another_kind_are_refused() {
    for name in ["segment", "control", "live", "lock"] {
        for kind in ["a symbolic link", "a directory", "a FIFO", "a regular file"] {
            if matches!((name, kind), ("live", "a FIFO") | ("lock" | "segment" | "control", "a regular file")) {
                continue;
            }
            let root = PrivateRoot::new();
            let path = ring(&root).join(name);
            fs::rename(&path, root.path().join("away")).unwrap();
            match kind {
                "a symbolic link" => symlink(root.path().join("away"), &path).unwrap(),
                "a directory" => fs::create_dir(&path).unwrap(),
                "a FIFO" => {
                    let mode = rustix::fs::Mode::from_raw_mode(0o600);
                    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
                }
                _ => fs::write(&path, "not a ring").unwrap(),
            }
            if name != "lock" {
                let error = open::<u64>(&root);
                assert!(matches!(&error, OpenError::NotARing { found, .. } if found == kind), "{name}: {error}");
            }
            if name != "control" {
                let error = create(&root);
                assert!(matches!(&error, CreateError::NotARing { found, .. } if found == kind), "{name}: {error}");
            }
        }
    }
}

#[test]
fn a_file_that_is_no_segment_is_not_replaced() {
    let root = PrivateRoot::new();
    let segment = ring(&root).join("segment");
    for content in ["", "precious", &"precious".repeat(1000)] {
        fs::write(&segment, content).unwrap();
        assert!(matches!(create(&root), CreateError::NotARing { .. }));
        assert!(matches!(open::<u64>(&root), OpenError::NotARing { .. }));
        assert_eq!(fs::read_to_string(&segment).unwrap(), content);
    }
}

#[test]
fn a_directory_of_another_kind_is_refused() {
    let root = PrivateRoot::new();
    let ring = ring(&root);
    fs::rename(&ring, root.path().join("away")).unwrap();
    symlink(root.path().join("away"), &ring).unwrap();
    assert!(matches!(open::<u64>(&root), OpenError::NotARing { .. }));
    assert!(matches!(create(&root), CreateError::NotARing { .. }));
    fs::remove_file(&ring).unwrap();
    fs::write(&ring, "").unwrap();
    assert!(matches!(open::<u64>(&root), OpenError::NotARing { .. }));
    assert!(matches!(create(&root), CreateError::NotARing { .. }));
}

#[test]
fn other_owners() {
    if !rustix::process::geteuid().is_root() {
        skipped("giving files to another owner needs root");
        return;
    }
    for name in ["", "segment", "control", "live"] {
        let root = PrivateRoot::new();
        let path = ring(&root).join(name);
        std::os::unix::fs::chown(&path, Some(4242), None).unwrap();
        let error = open::<u64>(&root);
        assert!(matches!(error, OpenError::Owner { found: 4242, expected: 0, .. }), "{name}: {error}");
        assert!(Subscriber::<u64>::options("r").root(&root).trust_uid(4242).open().is_ok());
        if name != "control" {
            let error = create(&root);
            assert!(matches!(error, CreateError::Owner { found: 4242, expected: 0, .. }), "{name}: {error}");
        }
    }
}
