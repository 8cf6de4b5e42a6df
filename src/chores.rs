//! Tasks that are to run until they are told to end. One that ends by itself, by a panic or by coming back, is news:
//! nobody waits for what it says, and what it did would go undone unseen.

use std::collections::HashMap;
use std::future::pending;

use tokio::task::{Id, JoinError, JoinSet};

use crate::problem::Problem;

/// Tasks with names. They are aborted when this is dropped.
#[derive(Debug, Default)]
pub struct Chores {
    tasks: JoinSet<Result<(), Problem>>,
    names: HashMap<Id, &'static str>,
}

impl Chores {
    /// Starts a task. `name` says what it does, as an operator calls it: `the tracker over UDP`.
    pub fn spawn(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.spawn_fallible(name, async {
            task.await;
            Ok(())
        });
    }

    /// Starts a task that says why it ends by itself, where it does.
    pub fn spawn_fallible(
        &mut self,
        name: &'static str,
        task: impl Future<Output = Result<(), Problem>> + Send + 'static,
    ) {
        let id = self.tasks.spawn(task).id();
        self.names.insert(id, name);
    }

    /// Waits until a task ends, and says which and why; for ever where there is none.
    pub async fn fallen(&mut self) -> Problem {
        let Some(ended) = self.tasks.join_next_with_id().await else { return pending().await };
        let (id, why) = match ended {
            Ok((id, Ok(()))) => (id, "it came back".to_owned()),
            Ok((id, Err(problem))) => (id, problem.to_string()),
            Err(error) => (error.id(), said_by(error)),
        };
        let name = self.names.remove(&id).unwrap_or("a task");
        Problem::new(format!("{name} has stopped by itself: {why}")).help("start it again, and report this")
    }

    /// Waits until all tasks have ended, as they do when each is told to.
    pub async fn ended(&mut self) {
        while self.tasks.join_next().await.is_some() {}
        self.names.clear();
    }

    /// Aborts all tasks and waits until they are gone.
    pub async fn shutdown(&mut self) {
        self.tasks.shutdown().await;
        self.names.clear();
    }
}

/// The words of a panic.
fn said_by(error: JoinError) -> String {
    let Ok(panic) = error.try_into_panic() else { return "it was aborted".to_owned() };
    let words = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    words.map_or_else(|| "it panicked".to_owned(), |words| format!("it panicked: {words}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_ends_by_itself_is_named_and_says_why() {
        let mut chores = Chores::default();
        chores.spawn("the first", pending());
        chores.spawn("the second", async {});
        assert_eq!(chores.fallen().await.message(), "the second has stopped by itself: it came back");
        chores.spawn("the third", async { panic!("no {}", 7) });
        assert_eq!(chores.fallen().await.message(), "the third has stopped by itself: it panicked: no 7");
        chores.spawn_fallible("the fourth", async { Err(Problem::new("the disk is gone")) });
        assert_eq!(chores.fallen().await.message(), "the fourth has stopped by itself: the disk is gone");
        chores.shutdown().await;
    }
}
