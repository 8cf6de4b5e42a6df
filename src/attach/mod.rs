//! Attaching: the output of another generator gets torrents, without its pages and feeds being known beforehand.

mod address;
mod media;
mod page;

pub use address::{Address, Prefixes};
pub use media::{Finder, Found};
pub use page::{Filled, Links, fill};
