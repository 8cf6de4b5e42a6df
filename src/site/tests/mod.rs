//! Whole builds, by what a test asks: what is done again, what comes out, what is refused.

mod again;
mod chapters;
mod faults;
mod locked;
mod output;
mod retired;
mod stopped;

use super::testing::{EP1, EP2, House};

fn two_episodes() -> House {
    House::with_episode().page("ep2.md", EP2).file("content/ep2.mp3", "medium 2")
}
