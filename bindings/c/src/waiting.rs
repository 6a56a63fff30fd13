//! How a subscriber waits for other things than a message, together with other things, or not any longer.

use std::os::fd::{AsFd, AsRawFd};

use feed_ring::{Interrupter, Notifier};

use crate::border::{border, border_value, came};
use crate::code::fr_code;
use crate::options::timeout;
use crate::pointers::{Out, given, hand_over};
use crate::subscriber::fr_subscriber;

/// A file descriptor that becomes readable when a subscriber has something to receive, for `poll` and `epoll`.
///
/// Receive until `FR_EMPTY`, then arm it; when it is readable, clear it and receive again. It becomes readable once after it was
/// armed. A thread of the library's sleeps on the ring for it. One thread at a time may use it, the one that uses the subscriber.
/// `fr_notifier_free` ends it, before or after the subscriber's end.
pub struct fr_notifier {
    pub(crate) raw: Notifier,
}

/// Ends the wait of a subscriber or a reader from another thread or from a signal handler.
///
/// Any number of threads may use it at a time. It remains valid after the subscriber was freed, and then does nothing.
pub struct fr_interrupter {
    pub(crate) raw: Interrupter,
}

/// Makes an interrupter for a subscriber. On failure `*interrupter` is NULL.
///
/// Returns `FR_OK` or `FR_NULL`. Free it with `fr_interrupter_free`.
#[unsafe(no_mangle)]
pub extern "C" fn fr_subscriber_interrupter(
    subscriber: Option<&fr_subscriber>,
    interrupter: Out<'_, *mut fr_interrupter>,
) -> fr_code {
    border(|| {
        hand_over(interrupter, "interrupter", || {
            Ok(fr_interrupter { raw: given(subscriber, "subscriber")?.raw.interrupter() })
        })
    })
}

/// Ends the current wait of the subscriber (`fr_receive`, `fr_subscriber_wait_for_publisher`), or else the next one: it returns
/// `FR_EMPTY`. Two interruptions before it returns count as one. A signal handler may call it.
///
/// Returns `FR_OK` or `FR_NULL`.
#[unsafe(no_mangle)]
pub extern "C" fn fr_interrupt(interrupter: Option<&fr_interrupter>) -> fr_code {
    border(|| {
        given(interrupter, "interrupter")?.raw.interrupt();
        Ok(())
    })
}

/// Frees an interrupter. NULL is allowed.
#[unsafe(no_mangle)]
pub extern "C" fn fr_interrupter_free(interrupter: Option<Box<fr_interrupter>>) {
    border_value((), || drop(interrupter));
}

/// Waits until a publisher takes the ring over, for at most `timeout_ns`. Call it after `FR_PUBLISHER_DEAD`, or after `FR_CLOSED`
/// where closed rings are kept. It sleeps, whatever the options say. Some rings never come back: one that was closed and removed, and
/// a sealed one. Set a timeout, then open the name again.
///
/// Returns `FR_OK` if it is worth receiving again, `FR_EMPTY` if the time passed or the wait was interrupted, or `FR_NULL`.
#[unsafe(no_mangle)]
pub extern "C" fn fr_subscriber_wait_for_publisher(subscriber: Option<&mut fr_subscriber>, timeout_ns: u64) -> fr_code {
    border(|| came(given(subscriber, "subscriber")?.raw.wait_for_publisher(timeout(timeout_ns))))
}

/// 1 if a publisher lives, 0 if none does, and for NULL. Asks the kernel.
#[unsafe(no_mangle)]
pub extern "C" fn fr_subscriber_publisher_is_alive(subscriber: Option<&fr_subscriber>) -> i32 {
    border_value(0, || subscriber.is_some_and(|subscriber| subscriber.raw.publisher_is_alive()).into())
}

/// Makes a notifier for a subscriber, and starts its thread. On failure `*notifier` is NULL.
///
/// Returns `FR_OK`, `FR_NULL`, or `FR_IO` if the descriptor or the thread cannot be made. Free it with `fr_notifier_free`.
#[unsafe(no_mangle)]
pub extern "C" fn fr_subscriber_notifier(
    subscriber: Option<&fr_subscriber>,
    notifier: Out<'_, *mut fr_notifier>,
) -> fr_code {
    border(|| {
        hand_over(notifier, "notifier", || Ok(fr_notifier { raw: given(subscriber, "subscriber")?.raw.notifier()? }))
    })
}

/// The notifier's descriptor, -1 for NULL. It belongs to the notifier: only wait for it.
#[unsafe(no_mangle)]
pub extern "C" fn fr_notifier_fd(notifier: Option<&fr_notifier>) -> i32 {
    border_value(-1, || notifier.map_or(-1, |notifier| notifier.raw.as_fd().as_raw_fd()))
}

/// Makes the descriptor readable once the subscriber, for which the notifier was made, has something to receive: a message or an
/// event. Call it after `FR_EMPTY`. After `FR_PUBLISHER_DEAD` and `FR_CLOSED` use `fr_notifier_arm_for_publisher`, and after
/// `FR_SUPERSEDED` free the notifier: there the event itself makes the descriptor readable at once, every time.
///
/// Returns `FR_OK` or `FR_NULL`.
#[unsafe(no_mangle)]
pub extern "C" fn fr_notifier_arm(notifier: Option<&fr_notifier>, subscriber: Option<&fr_subscriber>) -> fr_code {
    border(|| {
        given(notifier, "notifier")?.raw.arm_raw(&given(subscriber, "subscriber")?.raw);
        Ok(())
    })
}

/// Makes the descriptor readable once a publisher takes the ring over, or there is another event.
///
/// Returns `FR_OK` or `FR_NULL`.
#[unsafe(no_mangle)]
pub extern "C" fn fr_notifier_arm_for_publisher(
    notifier: Option<&fr_notifier>,
    subscriber: Option<&fr_subscriber>,
) -> fr_code {
    border(|| {
        given(notifier, "notifier")?.raw.arm_raw_for_publisher(&given(subscriber, "subscriber")?.raw);
        Ok(())
    })
}

/// Makes the descriptor unreadable, until it is armed again.
///
/// Returns `FR_OK` or `FR_NULL`.
#[unsafe(no_mangle)]
pub extern "C" fn fr_notifier_clear(notifier: Option<&fr_notifier>) -> fr_code {
    border(|| {
        given(notifier, "notifier")?.raw.clear();
        Ok(())
    })
}

/// Frees a notifier, and ends its thread. NULL is allowed.
#[unsafe(no_mangle)]
pub extern "C" fn fr_notifier_free(notifier: Option<Box<fr_notifier>>) {
    border_value((), || drop(notifier));
}
