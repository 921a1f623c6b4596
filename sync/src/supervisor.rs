//! Keeps long-lived tasks alive, and ends them in order.
//!
//! This is the only place that spawns a task: whatever runs in the background has a name, an owner that restarts it
//! and an end. Tasks share nothing but what they are given, so the death of one is no business of the others: the
//! music must not stop because something beside it did.

use std::fmt;
use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// The first pause after a failure: long enough that a task failing at once does not fill the log.
const FIRST_RETRY: Duration = Duration::from_millis(250);

/// The longest pause: whatever was missing is back within half a minute of its return.
const SLOWEST_RETRY: Duration = Duration::from_secs(30);

/// A task that ran this long was well: its next failure starts from the first pause again.
const HEALTHY: Duration = Duration::from_mins(1);

/// Where the spread of pauses comes from: a number in [0, 1) for each call.
pub type Jitter = Box<dyn FnMut() -> f64 + Send>;

/// The owner of the long-lived tasks of one program. Dropping it ends them all at once.
#[derive(Debug, Default)]
pub struct Supervisor {
    /// In the order of their start.
    tasks: Mutex<Vec<Task>>,
}

#[derive(Debug)]
struct Task {
    name: &'static str,
    stop: CancellationToken,
    done: AbortOnDropHandle<()>,
}

/// The pauses between attempts: each twice the last, up to a bound.
struct Pauses {
    next: Duration,
    jitter: Option<Jitter>,
}

impl fmt::Debug for Pauses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pauses").field("next", &self.next).finish_non_exhaustive()
    }
}

impl Supervisor {
    /// A supervisor without tasks.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps `task` alive until it is told to stop or ends well: a failure or a panic restarts it after a pause.
    ///
    /// The task is given a token that says when to stop.
    pub fn keep_running<F, Fut>(&self, name: &'static str, task: F)
    where
        F: FnMut(CancellationToken) -> Fut + Send + 'static,
        Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        self.start(name, task, Pauses { next: FIRST_RETRY, jitter: None });
    }

    /// As [`keep_running`](Self::keep_running), with pauses spread over [half, whole] by `jitter`: for tasks that
    /// call a server which many others call too.
    pub fn keep_running_spread<F, Fut>(&self, name: &'static str, jitter: Jitter, task: F)
    where
        F: FnMut(CancellationToken) -> Fut + Send + 'static,
        Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        self.start(name, task, Pauses { next: FIRST_RETRY, jitter: Some(jitter) });
    }

    fn start<F, Fut>(&self, name: &'static str, task: F, pauses: Pauses)
    where
        F: FnMut(CancellationToken) -> Fut + Send + 'static,
        Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let stop = CancellationToken::new();
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the one place: the task is owned and ended here"
        )]
        let done = tokio::spawn(keep(name, stop.clone(), task, pauses));
        let task = Task { name, stop, done: AbortOnDropHandle::new(done) };
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.retain(|task| !task.done.is_finished());
        tasks.push(task);
    }

    /// The names of the tasks that have not ended, in the order of their start.
    pub fn running(&self) -> Vec<&'static str> {
        let tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.iter().filter(|task| !task.done.is_finished()).map(|task| task.name).collect()
    }

    /// Ends the tasks, last started first, each before the next: what serves people stops before what it stands on.
    ///
    /// All together have `grace`; a task that is not done by then is cut off and named in the log.
    pub async fn stop(&self, grace: Duration) {
        let deadline = Instant::now() + grace;
        while let Some(task) = self.take_last() {
            task.stop.cancel();
            if tokio::time::timeout_at(deadline, task.done).await.is_err() {
                tracing::warn!(
                    task = task.name,
                    "the task {} did not stop in time and was cut off",
                    task.name
                );
            }
        }
    }

    fn take_last(&self) -> Option<Task> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }
}

impl Pauses {
    fn reset(&mut self) {
        self.next = FIRST_RETRY;
    }

    fn take(&mut self) -> Duration {
        let whole = self.next;
        self.next = (whole * 2).min(SLOWEST_RETRY);
        match &mut self.jitter {
            Some(jitter) => whole.mul_f64(0.5 + 0.5 * jitter().clamp(0.0, 1.0)),
            None => whole,
        }
    }
}

async fn keep<F, Fut>(name: &'static str, stop: CancellationToken, mut task: F, mut pauses: Pauses)
where
    F: FnMut(CancellationToken) -> Fut,
    Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    while !stop.is_cancelled() {
        let started = Instant::now();
        let Err(failure) = run_once(task(stop.clone())).await else { return };
        if HEALTHY <= started.elapsed() {
            pauses.reset();
        }
        let pause = pauses.take();
        tracing::warn!(
            task = name,
            ?pause,
            "the task {name} failed and starts again in {pause:?}: {failure:#}"
        );
        let _stopped_early = stop.run_until_cancelled(tokio::time::sleep(pause)).await;
    }
}

/// Runs one attempt as a task of its own, so that a panic ends here as an error.
///
/// The set owns it: where the supervised task is cut off, the attempt is too.
async fn run_once<Fut>(attempt: Fut) -> anyhow::Result<()>
where
    Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let mut attempts = JoinSet::new();
    attempts.spawn(attempt);
    match attempts.join_next().await {
        Some(Ok(result)) => result,
        Some(Err(panic)) => Err(panic.into()),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::mpsc;

    use super::*;

    /// Sends the moment of each of its starts, then does what `then` says.
    fn starts<Fut>(
        supervisor: &Supervisor,
        jitter: Option<Jitter>,
        then: impl Fn(usize) -> Fut + Send + Sync + 'static,
    ) -> mpsc::UnboundedReceiver<Duration>
    where
        Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let (tell, told) = mpsc::unbounded_channel();
        let (origin, count) = (Instant::now(), AtomicUsize::new(0));
        let task = move |_stop| {
            tell.send(origin.elapsed()).unwrap();
            then(count.fetch_add(1, Ordering::SeqCst))
        };
        match jitter {
            Some(jitter) => supervisor.keep_running_spread("tested", jitter, task),
            None => supervisor.keep_running("tested", task),
        }
        told
    }

    async fn next_ms(told: &mut mpsc::UnboundedReceiver<Duration>) -> u128 {
        told.recv().await.unwrap().as_millis()
    }

    #[tokio::test(start_paused = true)]
    async fn a_failing_task_is_started_again_after_longer_and_longer_pauses() {
        let supervisor = Supervisor::new();
        let mut told = starts(&supervisor, None, |_| async { anyhow::bail!("no luck") });

        let mut pauses = Vec::new();
        let mut last = next_ms(&mut told).await;
        for _ in 0..9 {
            let now = next_ms(&mut told).await;
            pauses.push(now - last);
            last = now;
        }
        // tokio's timer is exact to a millisecond.
        let expected = [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000];
        assert!(pauses.iter().zip(expected).all(|(pause, wanted)| pause.abs_diff(wanted) <= 1), "{pauses:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_is_a_failure_like_any_other() {
        let supervisor = Supervisor::new();
        let mut told = starts(&supervisor, None, |attempt| async move {
            assert!(attempt > 0, "the first attempt panics");
            std::future::pending().await
        });
        assert_eq!(next_ms(&mut told).await, 0);
        assert!(next_ms(&mut told).await >= 250);
        assert_eq!(supervisor.running(), ["tested"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_was_well_for_a_while_starts_from_the_first_pause_again() {
        let supervisor = Supervisor::new();
        let mut told = starts(&supervisor, None, |attempt| async move {
            if attempt == 5 {
                tokio::time::sleep(HEALTHY).await;
            }
            anyhow::bail!("no luck")
        });
        let mut at = Vec::new();
        for _ in 0..7 {
            at.push(next_ms(&mut told).await);
        }
        assert!((at[6] - at[5]).abs_diff(HEALTHY.as_millis() + 250) <= 2, "{at:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn jitter_spreads_a_pause_between_its_half_and_its_whole() {
        let supervisor = Supervisor::new();
        let mut told = starts(&supervisor, Some(Box::new(|| 0.0)), |_| async { anyhow::bail!("no luck") });
        let (first, second) = (next_ms(&mut told).await, next_ms(&mut told).await);
        assert!((second - first).abs_diff(125) <= 1);
    }

    #[tokio::test]
    async fn a_task_that_ends_well_is_not_started_again() {
        let supervisor = Supervisor::new();
        let mut told = starts(&supervisor, None, |_| async { Ok(()) });
        assert!(told.recv().await.is_some());
        assert_eq!(told.recv().await, None, "the task and its sender are gone");
    }

    #[tokio::test]
    async fn tasks_stop_in_the_reverse_order_of_their_start() {
        let supervisor = Supervisor::new();
        let order = Arc::new(Mutex::new(Vec::new()));
        let (tell, mut started) = mpsc::unbounded_channel();
        for name in ["store", "programme", "front"] {
            let (order, tell) = (Arc::clone(&order), tell.clone());
            supervisor.keep_running(name, move |stop| {
                let order = Arc::clone(&order);
                tell.send(()).unwrap();
                async move {
                    stop.cancelled().await;
                    order.lock().unwrap().push(name);
                    Ok(())
                }
            });
        }
        for _ in 0..3 {
            started.recv().await.unwrap();
        }
        supervisor.stop(Duration::from_secs(5)).await;
        assert_eq!(*order.lock().unwrap(), ["front", "programme", "store"]);
        assert!(supervisor.running().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_will_not_stop_is_cut_off_with_all_it_holds() {
        let supervisor = Supervisor::new();
        let (held, mut dropped) = mpsc::channel::<()>(1);
        supervisor.keep_running("deaf", move |_stop| {
            let held = held.clone();
            async move {
                let _held = held;
                std::future::pending().await
            }
        });
        tokio::task::yield_now().await;
        let before = Instant::now();
        supervisor.stop(Duration::from_secs(3)).await;
        assert!(before.elapsed() >= Duration::from_secs(3));
        assert_eq!(dropped.recv().await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn stopping_does_not_wait_for_the_pause_of_a_failed_task() {
        let supervisor = Supervisor::new();
        let mut told = starts(&supervisor, None, |_| async { anyhow::bail!("no luck") });
        for _ in 0..9 {
            told.recv().await.unwrap();
        }
        let before = Instant::now();
        supervisor.stop(Duration::from_mins(1)).await;
        assert!(before.elapsed() < Duration::from_millis(10));
    }
}
