//! The interface of `feed_ring` for C, and by `feed_ring.hpp` for C++: `include/feed_ring.h` is made from this source.
//!
//! The names are those of the header. Pointers from C are turned into references and slices in `pointers.rs` and nowhere
//! else; a panic is turned into a code in `border.rs`.
#![allow(non_camel_case_types, reason = "the names are C's")]

pub mod border;
pub mod cell;
pub mod code;
pub mod options;
pub mod pointers;
pub mod process;
pub mod publisher;
pub mod records;
pub mod schema;
pub mod subscriber;
pub mod table;
pub mod table_reader;
pub mod waiting;

/// The version of this interface: `fr_abi_version()` tells that of the library that a program runs with. A library with
/// the same version has everything that this header has. The shared library is called `libfeed_ring.so.` and this number.
pub const FR_ABI_VERSION: u32 = 1;

/// A timeout that never passes.
pub const FR_FOREVER: u64 = u64::MAX;
