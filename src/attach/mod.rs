//! Attaching: the output of another generator gets torrents, without its pages and feeds being known beforehand.

mod address;
mod media;
mod outline;
mod page;
mod prefix;

pub use address::{Address, URL_BYTES_MAX};
pub use media::{Finder, Found};
pub use page::{Filled, Links, PAGE_BYTES_MAX, fill};
pub use prefix::Prefixes;
