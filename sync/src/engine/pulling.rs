//! Rows come down: by the feed, by a snapshot, or by where they are kept. One task at a time.

use super::{Done, Engine, Fault, Step, millis};
use crate::wire::{Cursor, Kind, Page, ProblemCode, PullAsk, Scope};

mod task;

pub(super) use task::Task;
use task::{After, Want};

/// Where a comparison of digests found that both are in motion, it is tried again after this.
const VERIFY_AGAIN_MS: u64 = 5_000;

impl Engine {
    /// The first scope of which the cloud is known to have more: the venue's before the catalogue, so that each song of the
    /// first chunk is known to play here, or not, when it comes.
    pub(super) fn behind(&self) -> Option<Scope> {
        let place = |scope| self.cursors.get(scope).map_or(0, |cursor| cursor.seq);
        let mut behind = self.heads.iter().rev().filter(|(scope, head)| place(scope) < **head);
        behind.next().map(|(scope, _)| *scope)
    }

    pub(super) fn pulls_at(&self, now: u64) -> Option<u64> {
        if self.task.is_none() && !self.is_heard() {
            return None;
        }
        let has_more = !self.todo.is_empty() || !self.to_poll.is_empty() || self.behind().is_some();
        let has_work = self.task.is_some() || has_more;
        Some(if has_work { now } else { self.poll_at.min(self.verify_at).min(self.scrub_at) })
    }

    pub(super) fn is_refetching(&self, kind: &str) -> bool {
        self.task.iter().chain(&self.todo).any(|task| task.is_refetch_of(kind))
    }

    pub(super) fn pull(&mut self, now: u64) -> Option<Step> {
        if self.task.is_none() {
            if !self.is_heard() {
                return None;
            }
            self.task = self.choose(now);
        }
        self.task.as_ref().map(Task::step)
    }

    fn choose(&mut self, now: u64) -> Option<Task> {
        if let Some(scope) = self.behind() {
            let from = self.cursors.get(&scope).copied().unwrap_or_default();
            let head = self.heads.get(&scope).copied().unwrap_or(0);
            if from == Cursor::default() && head >= self.settings.snapshot_from {
                return Some(Task::bootstrap(scope));
            }
            return Some(self.catch_up(scope));
        }
        if let Some(task) = self.todo.pop_front() {
            return Some(task);
        }
        if now >= self.poll_at {
            let every = millis(self.settings.poll_every);
            self.poll_at = now + every * 4 / 5 + (every as f64 * 0.2 * self.chance.draw()) as u64;
            self.to_poll = self.heads.keys().copied().collect();
        }
        if let Some(scope) = self.to_poll.pop_front() {
            return Some(self.catch_up(scope));
        }
        if now >= self.verify_at {
            self.verify_at = now + millis(self.settings.verify_every);
            self.todo.extend(self.heads.keys().map(|scope| Task::compare(*scope, false)));
            return self.todo.pop_front();
        }
        if now >= self.scrub_at {
            self.scrub_at = now + millis(self.settings.scrub_every);
            return Some(Task::Scrub(self.settings.scrub));
        }
        None
    }

    fn catch_up(&self, scope: Scope) -> Task {
        let from = self.cursors.get(&scope).copied().unwrap_or_default();
        let ask = PullAsk { scope, from, limit: self.settings.page };
        Task::catch_up(ask, format!("feed {} {}", self.settings.instance, self.pulled))
    }

    pub(super) fn took(&mut self, done: Done, now: u64) {
        self.pulled += 1;
        let Some(task) = self.task.take() else { return };
        if let Done::Page(page) = &done {
            // A page that leads nowhere says so: what was told of more is not true any more.
            let is_end = page.to.seq == page.from.seq;
            let head_of = |head: i64| if is_end { page.head } else { page.head.max(head) };
            self.heads.entry(page.scope).and_modify(|head| *head = head_of(*head));
            if page.rows.iter().any(|row| Kind::of(&row.kind).is_some_and(Kind::is_guests)) {
                self.tell_guests(now);
            }
            if let Some(trouble) = task.ask().and_then(|ask| hole(&ask, page)) {
                // A feed with a hole, or one that is not ours: what is here is compared, and nothing of it is applied.
                tracing::warn!(scope = %page.scope, "the feed's page does not fit: {trouble}");
                self.task = Some(Task::compare(page.scope, true));
                return;
            }
        }
        if let Done::Scrubbed(damaged) = done {
            if damaged > 0 {
                self.todo.extend(self.heads.keys().map(|scope| Task::compare(*scope, false)));
            }
            return;
        }
        let cursor = task.scope().and_then(|scope| self.cursors.get(&scope).copied()).unwrap_or_default();
        let is_compared = task.is_comparison();
        let After { want, moved } = task.advance(done, cursor);
        if let Some((scope, to)) = moved {
            self.cursors.insert(scope, to);
            // After a comparison the feed is where it says, also where that is further back; so it is where a snapshot says
            // that there is nothing: a cloud that was put back to before its first song.
            if is_compared || to == Cursor::default() {
                self.heads.insert(scope, to.seq);
            } else {
                self.note_head(scope, to.seq);
            }
        }
        match want {
            Want::Nothing => {}
            Want::Go(task) => self.task = Some(*task),
            Want::LookAgain(scope, head) => {
                self.note_head(scope, head);
                self.verify_at = self.verify_at.min(now + VERIFY_AGAIN_MS);
            }
        }
    }

    pub(super) fn not_taken(&mut self, fault: &Fault) {
        let Fault::Refused(problem) = fault else { return };
        let Some(task) = &self.task else { return };
        match (problem.code, task.scope()) {
            // Another feed may have given the same numbers to other rows: digests cannot tell, so all of it comes again.
            (ProblemCode::Diverged, Some(scope)) => self.task = Some(Task::all(scope)),
            (ProblemCode::NotFound, Some(scope)) if task.is_bootstrap() => {
                // A chunk may be one of a snapshot that was replaced meanwhile, or its address one that holds no longer: the
                // list is asked for again. Where the same is not there once more (a cloud that was put back names what was
                // removed since), or where there is no list at all, the rows come from the database.
                let gone = task.chunk();
                let is_new = gone.is_some() && gone != std::mem::replace(&mut self.gone, gone);
                self.task = Some(if is_new { Task::bootstrap(scope) } else { Task::all(scope) });
            }
            // What the cloud does not know how to answer cannot be insisted on.
            (ProblemCode::NotFound | ProblemCode::Malformed, _) => self.task = None,
            _ => {}
        }
    }
}

/// Why a page is not what was asked for.
fn hole(ask: &PullAsk, page: &Page) -> Option<&'static str> {
    if page.scope != ask.scope || page.from != ask.from {
        return Some("it begins elsewhere");
    }
    let changes = page.to.seq.checked_sub(page.from.seq)?;
    if changes != page.changes || changes < 0 {
        return Some("it has a hole");
    }
    if page.rows.len() as i64 > page.changes {
        return Some("it has more rows than changes");
    }
    if page.to.seq > page.head || (changes == 0 && page.head > page.to.seq) {
        return Some("it leads nowhere");
    }
    None
}
