//! Names the shared library as programs look for it: libfeed_ring.so.1, where 1 is `FR_ABI_VERSION`.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libfeed_ring.so.1");
}
