//! Numbers to damage a segment with.

use proptest::prelude::*;

/// Numbers that are likely to break arithmetic.
pub(crate) fn number() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(0),
        Just(u64::MAX),
        (0..64u32).prop_map(|bit| 1 << bit),
        (0..64u32).prop_map(|bit| (1u64 << bit).wrapping_sub(1)),
        0..100u64,
        any::<u64>(),
    ]
}
