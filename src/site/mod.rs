//! x
pub mod options;
mod date;
mod front;
mod markdown;
