//! What C passes by address, as Rust sees it. NULL is refused here. That an address which is not NULL is one of what the
//! header says is the caller's promise: it is what makes this file's unsafe code sound.

use std::ffi::{CStr, CString, OsStr, c_char, c_void};
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::border::Failure;
use crate::code::fr_code;

/// Bytes that are read, of a length that comes beside them. Only C makes one.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Bytes(*const c_void);

/// Bytes that are written, of a length that comes beside them. Only C makes one.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct BytesMut(*mut c_void);

/// Text that ends with a zero byte. Only C makes one.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Text(*const c_char);

/// Values of one type, of a number that comes beside them. Only C makes one.
#[repr(transparent)]
pub struct Values<T>(*const T);

/// Room for values of one type, of a number that comes beside it. Only C makes one.
#[repr(transparent)]
pub struct OutValues<T>(*mut MaybeUninit<T>);

/// Where a result goes. C need not have written there before.
pub type Out<'a, T> = Option<&'a mut MaybeUninit<T>>;

impl<T> Clone for Values<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Values<T> {}

impl Bytes {
    /// The bytes. NULL is as good as any address if there are none.
    #[inline(always)]
    pub(crate) fn slice<'a>(self, what: &'static str, size: usize) -> Result<&'a [u8], Failure> {
        Values(self.0.cast()).slice(what, size)
    }

    /// The bytes, if they are so many. `None` otherwise, and for NULL.
    #[inline(always)]
    pub(crate) fn array<'a, const N: usize>(self, size: usize) -> Option<&'a [u8; N]> {
        // SAFETY: C gives this many bytes or NULL, and changes none during the call.
        if size == N { unsafe { self.0.cast::<[u8; N]>().as_ref() } } else { None }
    }
}

impl BytesMut {
    /// The bytes, of which none is read.
    #[inline(always)]
    pub(crate) fn slice<'a>(self, what: &'static str, size: usize) -> Result<&'a mut [u8], Failure> {
        match size {
            0 => Ok(&mut []),
            _ if self.0.is_null() => Err(Failure::null(what)),
            _ if isize::try_from(size).is_err() => Err(too_many(what, size)),
            // SAFETY: C gives this many bytes to write, which nothing else uses during the call.
            _ => Ok(unsafe { std::slice::from_raw_parts_mut(self.0.cast(), size) }),
        }
    }

    /// The bytes, of which none is read, if they are so many. `None` otherwise, and for NULL.
    #[inline(always)]
    pub(crate) fn array<'a, const N: usize>(self, size: usize) -> Option<&'a mut [u8; N]> {
        // SAFETY: C gives this many bytes or NULL, which nothing else uses during the call.
        if size == N { unsafe { self.0.cast::<[u8; N]>().as_mut() } } else { None }
    }
}

impl<T> Values<T> {
    /// Values of the library's own, for C to read as long as they are kept.
    pub(crate) fn of(values: &[T]) -> Self {
        Values(if values.is_empty() { std::ptr::null() } else { values.as_ptr() })
    }

    /// The values. NULL is as good as any address if there are none.
    #[inline(always)]
    pub(crate) fn slice<'a>(self, what: &'static str, count: usize) -> Result<&'a [T], Failure> {
        match count {
            0 => Ok(&[]),
            _ if self.0.is_null() => Err(Failure::null(what)),
            _ if count.checked_mul(size_of::<T>()).is_none_or(|size| isize::try_from(size).is_err()) => {
                Err(too_many(what, count))
            }
            // SAFETY: C gives this many values, and changes none during the call.
            _ => Ok(unsafe { std::slice::from_raw_parts(self.0, count) }),
        }
    }
}

impl<T> OutValues<T> {
    /// The room, of which nothing is read.
    pub(crate) fn slice<'a>(self, what: &'static str, count: usize) -> Result<&'a mut [MaybeUninit<T>], Failure> {
        match count {
            0 => Ok(&mut []),
            _ if self.0.is_null() => Err(Failure::null(what)),
            _ if count.checked_mul(size_of::<T>()).is_none_or(|size| isize::try_from(size).is_err()) => {
                Err(too_many(what, count))
            }
            // SAFETY: C gives room for this many values, which nothing else uses during the call.
            _ => Ok(unsafe { std::slice::from_raw_parts_mut(self.0, count) }),
        }
    }
}

impl Text {
    /// A text of the library's own, for C to read as long as it is kept.
    pub(crate) fn of(text: Option<&CString>) -> Self {
        Text(text.map_or(std::ptr::null(), |text| text.as_ptr()))
    }

    pub(crate) fn is_null(self) -> bool {
        self.0.is_null()
    }

    fn bytes<'a>(self, what: &'static str) -> Result<&'a [u8], Failure> {
        if self.0.is_null() {
            return Err(Failure::null(what));
        }
        // SAFETY: C gives text that ends with a zero byte, and does not change it during the call.
        Ok(unsafe { CStr::from_ptr(self.0) }.to_bytes())
    }

    /// The text, which has to be UTF-8.
    pub(crate) fn str<'a>(self, what: &'static str) -> Result<&'a str, Failure> {
        std::str::from_utf8(self.bytes(what)?)
            .map_err(|error| Failure::new(fr_code::FR_ARGUMENT, format!("{what}: {error}; UTF-8 expected")))
    }

    /// The text as a path, which may have any bytes.
    pub(crate) fn path<'a>(self, what: &'static str) -> Result<&'a Path, Failure> {
        Ok(Path::new(OsStr::from_bytes(self.bytes(what)?)))
    }
}

/// Does something with messages of `$size` bytes, where the compiler knows the length if they share a cache line with their number:
/// the copy is then a few moves. `$N` is the length in `$call`; a message of any other length is left to `$other`.
macro_rules! by_length {
    ($size:expr, $N:ident => $call:expr, _ => $other:expr) => {
        by_length!($size, $N => $call, _ => $other; 8 16 24 32 40 48 56)
    };
    ($size:expr, $N:ident => $call:expr, _ => $other:expr; $($length:literal)+) => {
        match $size {
            $($length => {
                const $N: usize = $length;
                $call
            })+
            _ => $other,
        }
    };
}
pub(crate) use by_length;

/// What a pointer points to.
#[inline(always)]
pub(crate) fn given<T>(pointer: Option<T>, what: &'static str) -> Result<T, Failure> {
    pointer.ok_or_else(|| Failure::null(what))
}

/// Puts a result where C wants it, if it does.
#[inline(always)]
pub(crate) fn put<T>(out: Out<'_, T>, result: T) {
    if let Some(out) = out {
        out.write(result);
    }
}

/// Gives C a handle, or NULL where there is none: whoever ignores the code finds no address of something else.
pub(crate) fn hand_over<T>(
    out: Out<'_, *mut T>,
    what: &'static str,
    make: impl FnOnce() -> Result<T, Failure>,
) -> Result<(), Failure> {
    let out = given(out, what)?.write(std::ptr::null_mut());
    *out = Box::into_raw(Box::new(make()?));
    Ok(())
}

/// Takes a handle back that [`hand_over`] gave.
pub(crate) fn take_back<T>(handle: Option<Box<T>>, what: &'static str) -> Result<T, Failure> {
    Ok(*given(handle, what)?)
}

#[cold]
fn too_many(what: &'static str, found: usize) -> Failure {
    Failure::new(fr_code::FR_SIZE, format!("{what}: {found} of them; no memory holds so many"))
}
