//! How the system's allocator keeps the memory of a program that runs for years.
//!
//! What is left to itself gives each thread memory of its own, and learns from every large block that is freed to keep
//! blocks of that size: a server with thousands of torrents then holds half as much again as it needs.

/// Memory that threads take turns at, in so many parts.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const ARENAS_MAX: std::ffi::c_int = 2;
/// A block of so many bytes is given back to the system when it is freed. Chunks of files on their way to clients are
/// smaller.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const LARGE_BYTES: std::ffi::c_int = 512 * 1024;

/// Has the allocator keep little that is not in use, from now on: before there are threads, where it is to count. It
/// does nothing where the C library is not glibc.
pub fn keep_little() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        use nix::libc::{M_ARENA_MAX, M_MMAP_THRESHOLD, mallopt};
        for (setting, value) in [(M_ARENA_MAX, ARENAS_MAX), (M_MMAP_THRESHOLD, LARGE_BYTES)] {
            // What it answers changes nothing: without it, the program works and holds more.
            #[expect(unsafe_code, reason = "a call of the C library with two numbers, which it may refuse")]
            let _ = unsafe { mallopt(setting, value) };
        }
    }
}
