//! Attaching: the output of another generator gets torrents, without its pages and feeds being known beforehand.

mod address;
mod media;
mod outline;
mod page;

pub use address::{Address, Prefixes};
pub use media::{Finder, Found};
pub use page::{Filled, Links, PAGE_BYTES_MAX, fill};
