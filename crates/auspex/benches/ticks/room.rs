//! A runtime on threads of its own, and the kernel's account of them.

use std::future::Future;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::Outcome;

/// Threads of one name that run what is brought here.
pub(crate) struct Room {
    name: String,
    runtime: Option<Runtime>,
}

impl Room {
    /// A room of so many threads. Names are told apart by their first fifteen characters.
    pub(crate) fn open(name: &str, threads: usize) -> Outcome<Self> {
        let runtime = Builder::new_multi_thread().worker_threads(threads).thread_name(name).enable_all().build()?;
        Ok(Self { name: name.to_owned(), runtime: Some(runtime) })
    }

    /// Runs something to its end, here; what it spawns runs on the room's threads.
    pub(crate) fn run<T>(&self, work: impl Future<Output = Outcome<T>>) -> Outcome<T> {
        self.runtime().block_on(work)
    }

    /// Does something that spawns tasks here.
    pub(crate) fn enter<T>(&self, work: impl FnOnce() -> T) -> T {
        let _inside = self.runtime().enter();
        work()
    }

    /// Processor time its threads have had.
    pub(crate) fn cpu(&self) -> Outcome<Duration> {
        let mut spent = 0;
        for task in std::fs::read_dir("/proc/self/task")? {
            let task = task?.path();
            // A thread may end while it is looked at.
            let Ok(name) = std::fs::read_to_string(task.join("comm")) else { continue };
            if name.trim_end() == self.name {
                let account = std::fs::read_to_string(task.join("schedstat"))?;
                spent += account.split_ascii_whitespace().next().ok_or("an empty account")?.parse::<u64>()?;
            }
        }
        Ok(Duration::from_nanos(spent))
    }

    fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().expect("it is taken when the room is closed")
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(1));
        }
    }
}
