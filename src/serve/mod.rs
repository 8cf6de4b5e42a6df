//! The server.
pub mod body;
pub mod clock;
pub mod files;
pub mod http;
pub mod log;
pub mod reply;
pub mod socket;
#[cfg(test)]
mod tests;
