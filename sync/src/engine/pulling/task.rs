//! What the pulling lane is at, and how each answer leads to the next step.

use std::time::Duration;

use roomtone_schema::UnixMillis;
use uuid::Uuid;

use crate::digest;
use crate::engine::{Done, Step};
use crate::wire::{
    Cursor, Hash, HeardAnswer, HeardAsk, KINDS, MOST_ROWS, Page, PullAsk, Row, RowsAnswer, RowsAsk, Scope,
    Snapshot,
};

/// Of how much of its past a hub is reminded that was put back: longer than any song rests.
const REMINDED: Duration = Duration::from_hours(8 * 24);

/// A task.
#[derive(Debug, Clone)]
pub(in crate::engine) enum Task {
    /// Asks for the next page.
    Page { ask: PullAsk, name: String, parts: Option<u64> },
    /// The only page there is: applied at once.
    Apply { page: Page },
    /// The first of several pages begins a collection.
    Begin { page: Page, limit: u32, name: String },
    /// A page is collected.
    Collect { page: Page, limit: u32, name: String, part: u64 },
    /// What was collected is put in place.
    Place { scope: Scope, to: Cursor, whole: bool },
    /// Asks for a snapshot.
    List { scope: Scope },
    /// Sees what is there of it already.
    Resume { snapshot: Snapshot },
    /// Fetches its chunks.
    Fetch { snapshot: Snapshot, part: u64 },
    /// Collects one.
    Keep { snapshot: Snapshot, part: u64, rows: Vec<Row> },
    /// Compares digests.
    Compare { scope: Scope, is_lost: bool },
    /// Fetches rows by where they are kept.
    Rows { ask: RowsAsk, rows: Vec<Row>, to: Option<Cursor>, moves: bool, revision: Option<u32> },
    /// Puts them in place.
    Replace { ask: RowsAsk, rows: Vec<Row>, to: Option<Cursor>, revision: Option<u32> },
    /// Notes that a kind was taken.
    Note { kind: String, revision: u32 },
    /// Asks when songs were heard.
    Heard { since: UnixMillis },
    /// Keeps it.
    Recall { heard: HeardAnswer },
    /// Reads some rows to see whether they are sound.
    Scrub(u32),
}

/// What follows.
pub(super) struct After {
    pub(super) want: Want,
    pub(super) moved: Option<(Scope, Cursor)>,
}

pub(super) enum Want {
    Nothing,
    Go(Box<Task>),
    /// Both are in motion: pull up to there, then compare again.
    LookAgain(Scope, i64),
}

impl After {
    fn go(task: Task) -> Self {
        Self { want: Want::Go(Box::new(task)), moved: None }
    }

    fn end(moved: Option<(Scope, Cursor)>) -> Self {
        Self { want: Want::Nothing, moved }
    }
}

impl Task {
    pub(in crate::engine) fn catch_up(ask: PullAsk, name: String) -> Self {
        Self::Page { ask, name, parts: None }
    }

    pub(in crate::engine) fn bootstrap(scope: Scope) -> Self {
        Self::List { scope }
    }

    pub(in crate::engine) fn compare(scope: Scope, is_lost: bool) -> Self {
        Self::Compare { scope, is_lost }
    }

    /// A whole scope without a snapshot.
    pub(in crate::engine) fn all(scope: Scope) -> Self {
        let ask = RowsAsk { scope, kinds: vec![], buckets: vec![], after: None, limit: MOST_ROWS };
        Self::Rows { ask, rows: vec![], to: None, moves: true, revision: None }
    }

    pub(in crate::engine) fn refetch(scope: Scope, kind: &str, revision: u32, was_pulled: bool) -> Self {
        let kind = kind.to_owned();
        if !was_pulled {
            return Self::Note { kind, revision };
        }
        let ask = RowsAsk { scope, kinds: vec![kind], buckets: vec![], after: None, limit: MOST_ROWS };
        Self::Rows { ask, rows: vec![], to: None, moves: false, revision: Some(revision) }
    }

    pub(in crate::engine) fn heard(now: UnixMillis) -> Self {
        Self::Heard { since: now - REMINDED }
    }

    pub(super) fn is_refetch_of(&self, word: &str) -> bool {
        match self {
            Self::Rows { ask, revision: Some(_), .. } | Self::Replace { ask, revision: Some(_), .. } => {
                ask.kinds.iter().any(|kind| kind == word)
            }
            Self::Note { kind, .. } => kind == word,
            _ => false,
        }
    }

    /// Whether it only asks if there is something to do.
    pub(in crate::engine) fn only_looks(&self) -> bool {
        matches!(self, Self::Page { .. } | Self::Compare { .. } | Self::Scrub(_))
    }

    pub(super) fn is_bootstrap(&self) -> bool {
        matches!(self, Self::List { .. } | Self::Fetch { .. })
    }

    pub(super) fn is_comparison(&self) -> bool {
        matches!(self, Self::Replace { .. })
    }

    /// The chunk that it fetches.
    pub(super) fn chunk(&self) -> Option<Hash> {
        let Self::Fetch { snapshot, part } = self else { return None };
        snapshot.chunks.get(*part as usize).map(|chunk| *chunk.sha256)
    }

    pub(super) fn ask(&self) -> Option<PullAsk> {
        if let Self::Page { ask, .. } = self { Some(*ask) } else { None }
    }

    pub(super) fn scope(&self) -> Option<Scope> {
        Some(match self {
            Self::Page { ask, .. } => ask.scope,
            Self::Apply { page } | Self::Begin { page, .. } | Self::Collect { page, .. } => page.scope,
            Self::Resume { snapshot } | Self::Fetch { snapshot, .. } | Self::Keep { snapshot, .. } => {
                snapshot.scope
            }
            Self::Rows { ask, .. } | Self::Replace { ask, .. } => ask.scope,
            Self::Place { scope, .. } | Self::List { scope } | Self::Compare { scope, .. } => *scope,
            Self::Note { .. } | Self::Heard { .. } | Self::Recall { .. } | Self::Scrub(_) => return None,
        })
    }

    /// What is to be done now.
    pub(super) fn step(&self) -> Step {
        match self.clone() {
            Self::Page { ask, .. } => Step::Pull(ask),
            Self::Apply { page } => {
                Step::Apply { scope: page.scope, from: page.from, to: page.to, rows: page.rows }
            }
            Self::Begin { page, name, .. } => Step::Stage { scope: page.scope, name },
            Self::Collect { page, part, .. } => {
                Step::StagePart { scope: page.scope, part, rows: page.rows, next: None }
            }
            Self::Place { scope, to, whole } => Step::Unstage { scope, to, whole },
            Self::List { scope } => Step::Snapshot(scope),
            Self::Resume { snapshot } => Step::Stage { scope: snapshot.scope, name: name_of(&snapshot) },
            Self::Fetch { snapshot, part } => Step::Chunk(snapshot.chunks[part as usize].clone()),
            Self::Keep { snapshot, part, rows } => {
                let next = snapshot.chunks.get(part as usize + 1).cloned();
                Step::StagePart { scope: snapshot.scope, part, rows, next }
            }
            Self::Compare { scope, .. } => Step::Digest(scope),
            Self::Rows { ask, .. } => Step::Rows(ask),
            Self::Replace { ask, rows, to, .. } => {
                Step::Replace { scope: ask.scope, kinds: ask.kinds, buckets: ask.buckets, rows, to }
            }
            Self::Note { kind, revision } => Step::NoteRevision { kind, revision },
            Self::Heard { since } => Step::Heard(HeardAsk { since }),
            Self::Recall { heard } => Step::Recall(heard),
            Self::Scrub(most) => Step::Scrub(most),
        }
    }

    /// What follows from an answer; `cursor` is where the task's scope stands here.
    pub(super) fn advance(self, done: Done, cursor: Cursor) -> After {
        match (self, done) {
            (Self::Page { ask, name, parts }, Done::Page(page)) => paged(page, ask.limit, name, parts),
            (Self::Apply { page }, _) => After::end(Some((page.scope, page.to))),
            (Self::Begin { page, limit, name }, Done::Staged(part)) => {
                After::go(Self::Collect { page, limit, name, part })
            }
            (Self::Collect { page, limit, name, part }, _) => collected(&page, limit, name, part + 1),
            (Self::Place { scope, to, .. }, _) => After::end(Some((scope, to))),
            (Self::List { .. }, Done::Snapshot(snapshot)) => After::go(Self::Resume { snapshot }),
            (Self::Resume { snapshot }, Done::Staged(part)) => fetched(snapshot, part),
            (Self::Fetch { snapshot, part }, Done::Chunk(rows)) => {
                After::go(Self::Keep { snapshot, part, rows })
            }
            (Self::Keep { snapshot, part, .. }, _) => fetched(snapshot, part + 1),
            (Self::Compare { scope, is_lost }, Done::Digests(theirs, ours)) => {
                let sums: Vec<digest::Sum> = theirs.buckets.iter().map(|sum| **sum).collect();
                compared(scope, is_lost, cursor, theirs.at, digest::differing(&ours, &sums))
            }
            (Self::Rows { ask, rows, to, moves, revision }, Done::Rows(answer)) => {
                rows_came(ask, rows, to.or(moves.then_some(answer.at)), moves, revision, answer)
            }
            (Self::Replace { ask, to, revision, .. }, _) => {
                let kind = ask.kinds.first().cloned().unwrap_or_default();
                let moved = to.map(|to| (ask.scope, to));
                match revision {
                    Some(revision) => After { moved, ..After::go(Self::Note { kind, revision }) },
                    None => After::end(moved),
                }
            }
            (Self::Heard { .. }, Done::Heard(heard)) => After::go(Self::Recall { heard }),
            (Self::Note { .. } | Self::Recall { .. } | Self::Scrub(_), _) => After::end(None),
            // An answer to something else: the same again.
            (task, _) => After::go(task),
        }
    }
}

fn paged(page: Page, limit: u32, name: String, parts: Option<u64>) -> After {
    match parts {
        None if page.to == page.from => After::end(None),
        None if page.to.seq >= page.head => After::go(Task::Apply { page }),
        None => After::go(Task::Begin { page, limit, name }),
        Some(part) => After::go(Task::Collect { page, limit, name, part }),
    }
}

fn collected(page: &Page, limit: u32, name: String, parts: u64) -> After {
    let (scope, to) = (page.scope, page.to);
    if to.seq >= page.head {
        return After::go(Task::Place { scope, to, whole: false });
    }
    After::go(Task::Page { ask: PullAsk { scope, from: to, limit }, name, parts: Some(parts) })
}

fn fetched(snapshot: Snapshot, part: u64) -> After {
    if part < snapshot.chunks.len() as u64 {
        return After::go(Task::Fetch { snapshot, part });
    }
    After::go(Task::Place { scope: snapshot.scope, to: snapshot.at, whole: true })
}

/// A snapshot by what is in it, and by what this program knows to take from it: parts of it that were collected count for the
/// same one only.
fn name_of(snapshot: &Snapshot) -> String {
    let known = KINDS.iter().fold(crate::chain::BEGINNING, |before, (_, known)| {
        crate::chain::link(&before, &known.to_le_bytes())
    });
    let sums =
        snapshot.chunks.iter().fold(known, |before, chunk| crate::chain::link(&before, &*chunk.sha256));
    format!("snapshot {} {} {}", snapshot.at.seq, snapshot.at.tag, Uuid::from_bytes(first_half(sums)))
}

fn first_half(sum: [u8; 32]) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&sum[..16]);
    half
}

/// What follows from two sets of sums. They say something only where both were taken at one place of one feed: another feed
/// may have given the same numbers to other rows, which sums of numbers cannot tell.
fn compared(scope: Scope, is_lost: bool, here: Cursor, at: Cursor, differing: Vec<u8>) -> After {
    if here != at {
        if !is_lost && here.seq < at.seq {
            return After { want: Want::LookAgain(scope, at.seq), moved: None };
        }
        tracing::warn!(%scope, "the feed is another one than it was; all its rows are fetched again");
        return After::go(Task::all(scope));
    }
    if differing.is_empty() {
        return After::end(None);
    }
    tracing::warn!(%scope, buckets = differing.len(), "rows differ from the cloud's and are fetched again");
    let ask = RowsAsk { scope, kinds: vec![], buckets: differing, after: None, limit: MOST_ROWS };
    After::go(Task::Rows { ask, rows: vec![], to: Some(at), moves: true, revision: None })
}

fn rows_came(
    mut ask: RowsAsk,
    mut rows: Vec<Row>,
    to: Option<Cursor>,
    moves: bool,
    revision: Option<u32>,
    answer: RowsAnswer,
) -> After {
    let last = answer.rows.last().map(|row| (row.kind.clone(), row.pk));
    rows.extend(answer.rows);
    if answer.more && last.is_some() {
        ask.after = last;
        return After::go(Task::Rows { ask, rows, to, moves, revision });
    }
    ask.after = None;
    After::go(Task::Replace { ask, rows, to, revision })
}
