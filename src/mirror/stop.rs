//! The word that a round is to end early: what is under way is left as it is, and taken up by the next one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::problem::Problem;

/// Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Ends rounds from now on.
    pub fn now(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was said.
    pub fn is_said(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// An error where it was said.
    pub fn check(&self) -> Result<(), Problem> {
        if self.is_said() { Err(Problem::new("stopped before it was done")) } else { Ok(()) }
    }
}
