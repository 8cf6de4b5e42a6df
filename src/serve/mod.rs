//! A site served: its files, its tracker over HTTP and UDP, its permanent seed, and what there is to see of them.
//!
//! It meets publishing only in `everseed.json` and the `.torrent` files named there, and knows no markdown, theme or
//! feed. [`Bound::bind`] takes the sockets, [`DataFolder::lock`] the data folder, [`Server::start`] reads the site and
//! opens the database, [`Server::run`] serves until it is told to end, which takes less than two seconds then.
//!
//! ```text
//! http -> route -> files                       reload, every second: everseed.json -> site -> tracker, seed
//!               -> announce -> tracker::Swarms -> changes -> store::Writer
//! udp  ----------^                             status <- swarms, seed, store
//! ```

mod announce;
mod body;
mod bound;
mod clock;
mod data;
mod files;
mod http;
mod log;
mod metrics;
mod reload;
mod reply;
mod route;
mod server;
mod site;
mod socket;
mod state;
mod status;
mod udp;

pub use bound::{Addresses, Bound, Udp};
pub use data::DataFolder;
pub use http::Options as HttpOptions;
pub use log::Log;
pub use server::{END_MAX, Options, Server, StartError, Summary};

#[cfg(test)]
mod tests;
