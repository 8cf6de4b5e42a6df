//! A site served: its files, its tracker over HTTP and UDP, its permanent seed, and what there is to see of them.
//!
//! It meets publishing only in `everseed.json` and the `.torrent` files named there, and knows no markdown, theme or
//! feed. [`Bound::bind`] takes the sockets, [`DataFolder::lock`] the data folder, [`Server::start`] reads the site and
//! opens the database, [`Server::run`] serves until it is told to end, which takes less than two seconds then.
//!
//! ```text
//! http -> front -> announce (what most clients send)
//!      -> route -> files                       reload, every second: everseed.json -> site -> tracker, seed
//!               -> announce -> tracker::Swarms -> changes -> store::Writer
//!               -> page, status <- swarms, seed, history <- store::Reader
//! udp  ----------^ (to the tracker)
//! ```

mod announce;
mod body;
mod bound;
mod clock;
mod data;
mod dht;
mod doors;
mod files;
mod front;
mod heal;
mod histogram;
mod history;
mod http;
mod log;
mod metrics;
mod outbox;
mod packed;
mod page;
mod plot;
mod quota;
mod reload;
mod reply;
mod route;
mod server;
mod shelf;
mod site;
mod socket;
mod state;
mod status;
mod udp;
mod web;

pub use bound::{Addresses, Bound, Udp};
pub use data::DataFolder;
pub use heal::{
    Healing, ask_trackers, known as known_files, remembered as remembered_files, subject as subject_to_heal,
};
pub use http::{Options as HttpOptions, connections_max};
pub use log::Log;
pub use quota::{Quota, THEN_BYTES_PER_SEC};
pub use server::{END_MAX, Options, Server, StartError, Summary};
pub use site::{OwnTrackers, Published, Site, load as load_site};
pub use state::Warnings;

#[cfg(test)]
mod tests;
