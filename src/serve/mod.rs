//! The server.
pub mod announce;
pub mod body;
pub mod bound;
pub mod clock;
pub mod files;
pub mod http;
pub mod log;
pub mod metrics;
pub mod reply;
pub mod site;
pub mod socket;
pub mod status;
#[cfg(test)]
mod tests;
