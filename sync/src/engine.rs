//! What a hub does to agree with the cloud, without doing it: answers and the time go in, steps come out.
//!
//! Four lanes run beside each other: greeting, pushing, pulling, and listening for what moves. Each has one step under way at
//! most and pauses of its own, so that no lane waits for what another cannot do. A step is one question to the cloud or one
//! transaction of the hub's store; whatever happens to it, the engine is told, and the same step comes again after a pause
//! or another one in its place. Nothing is kept here that cannot be rebuilt from the store and one hello: a crash between
//! any two steps is a restart.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::time::Duration;

use uuid::Uuid;

use crate::backoff::Backoff;
use crate::fencing::HELLO_EVERY;
use crate::store::LinkState;
use crate::wire::{
    Apart, Cursor, Fact, Hash, HelloAnswer, KINDS, Kind, MOST_FACTS, MOST_ROWS, ProblemCode, Scope, Standing,
    VERSION, Version,
};

mod chance;
mod greeting;
mod listening;
mod pulling;
mod pushing;
mod step;

pub use step::{Done, Fault, Lane, Step};

use chance::Chance;
use pulling::Task;

/// A hello that is not answered within this, while nothing else is heard of the cloud either, says that the cloud is out of
/// reach. It goes on waiting: a line may be slow.
const PATIENCE: Duration = Duration::from_secs(6);

/// All lanes, the most urgent first.
const LANES: [Lane; 4] = [Lane::Greet, Lane::Push, Lane::Pull, Lane::Live];

/// How the engine goes about it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// This run of the program: drawn anew at each start.
    pub instance: Uuid,
    /// What pauses are drawn from.
    pub seed: u64,
    /// How often it says hello: what keeps the lease, and the poll that finds what no poke told.
    pub hello_every: Duration,
    /// How often it asks for news though nobody told of any: this sees also that a feed is not the one that it was.
    pub poll_every: Duration,
    /// How often it compares digests.
    pub verify_every: Duration,
    /// How often it reads some rows to see whether they are what was applied.
    pub scrub_every: Duration,
    /// How many rows then.
    pub scrub: u32,
    /// How many changes it asks for at a time.
    pub page: u32,
    /// A scope that was never pulled comes as a snapshot where its feed is at least this long.
    pub snapshot_from: i64,
    /// The version it speaks.
    pub speaks: Version,
    /// The kinds that it reads, each with the revision of its rows. Only a simulation has others than those of this
    /// program.
    pub reads: Vec<(Kind, u32)>,
}

impl Settings {
    /// As in a venue.
    pub fn new(instance: Uuid, seed: u64) -> Self {
        Self {
            instance,
            seed,
            hello_every: HELLO_EVERY,
            poll_every: Duration::from_mins(1),
            verify_every: Duration::from_hours(1),
            scrub_every: Duration::from_mins(5),
            scrub: 5_000,
            page: MOST_ROWS,
            snapshot_from: i64::from(MOST_ROWS),
            speaks: VERSION,
            reads: KINDS.to_vec(),
        }
    }
}

/// How the hub stands with the cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It has not been heard of the cloud yet, or not for a while.
    Offline,
    /// It has been heard of; not everything is on both sides yet.
    Syncing,
    /// Everything that is known to exist is on both sides.
    Synced,
    /// Another box speaks as this hub.
    Fenced,
    /// The cloud does not want this hub, or not this version of it.
    Refused,
}

/// A lane's own state.
#[derive(Debug, Default)]
struct Pace {
    is_busy: bool,
    not_before: u64,
    backoff: Backoff,
}

/// What was agreed with the last hello.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Agreed {
    Nothing,
    Welcome { epoch: i64 },
    Fenced,
    Refused,
}

/// See the module.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one thing that one lane knows, and no state of the whole"
)]
pub struct Engine {
    settings: Settings,
    chance: Chance,
    paces: [Pace; 4],
    agreed: Agreed,
    // Greeting.
    hello_at: u64,
    /// When one was answered last.
    greeted_at: u64,
    /// When what has changed since the last one is to be told.
    news_at: Option<u64>,
    /// Since when a hello waits for its answer, or for anything else to be heard of the cloud.
    asked_at: Option<u64>,
    /// Whether it has waited for too long.
    is_silent: bool,
    has_forked: bool,
    /// What must be noted in the store before anything is pushed.
    settling: VecDeque<Step>,
    answer: Option<HelloAnswer>,
    // Pushing.
    has_facts: bool,
    acked: i64,
    last_seq: i64,
    most_facts: usize,
    to_acknowledge: Option<(i64, Vec<(Apart, Fact)>)>,
    // Pulling.
    cursors: BTreeMap<Scope, Cursor>,
    heads: BTreeMap<Scope, i64>,
    task: Option<Task>,
    /// Steps of the lane that have ended, to see whether what a hello read of the store is still true.
    pulled: u64,
    pulled_at_hello: u64,
    todo: VecDeque<Task>,
    verify_at: u64,
    poll_at: u64,
    to_poll: VecDeque<Scope>,
    scrub_at: u64,
    /// The chunk that was not there last.
    gone: Option<Hash>,
    // Listening.
    is_open: bool,
    opened_at: u64,
    short_lives: u32,
    poll_until: u64,
    trouble: Option<String>,
}

impl Engine {
    /// An engine that knows nothing: its first step is a hello.
    pub fn new(settings: Settings) -> Self {
        Self {
            chance: Chance::new(settings.seed),
            settings,
            paces: Default::default(),
            agreed: Agreed::Nothing,
            hello_at: 0,
            greeted_at: 0,
            news_at: None,
            asked_at: None,
            is_silent: false,
            has_forked: false,
            settling: VecDeque::new(),
            answer: None,
            has_facts: true,
            acked: 0,
            last_seq: 0,
            most_facts: MOST_FACTS,
            to_acknowledge: None,
            cursors: BTreeMap::new(),
            heads: BTreeMap::new(),
            task: None,
            pulled: 0,
            pulled_at_hello: 0,
            todo: VecDeque::new(),
            verify_at: 0,
            poll_at: 0,
            to_poll: VecDeque::new(),
            scrub_at: 0,
            gone: None,
            is_open: false,
            opened_at: 0,
            short_lives: 0,
            poll_until: 0,
            trouble: None,
        }
    }

    /// The next step that can be begun at `now` (milliseconds by any clock that never runs backwards); ask until there is
    /// none. Every step is to be answered by [`Engine::done`].
    pub fn next(&mut self, now: u64) -> Option<(Lane, Step)> {
        self.is_silent |= self.doubted_at().is_some_and(|at| at <= now);
        for lane in LANES {
            let pace = self.pace(lane);
            if pace.is_busy || now < pace.not_before {
                continue;
            }
            let step = match lane {
                Lane::Greet => self.greet(now),
                Lane::Push => self.push(),
                Lane::Pull => self.pull(now),
                Lane::Live => self.listen(now),
            };
            if let Some(step) = step {
                self.pace(lane).is_busy = true;
                return Some((lane, step));
            }
        }
        None
    }

    /// When to ask for a step again though nothing was answered. There is always such a time unless a step is under way.
    pub fn wake_at(&self, now: u64) -> Option<u64> {
        let free = LANES.into_iter().filter(|lane| !self.paces[*lane as usize].is_busy);
        let due = free.filter_map(|lane| {
            let due = match lane {
                Lane::Greet => Some(self.greets_at()),
                Lane::Push => self.has_to_push().then_some(now),
                Lane::Pull => self.pulls_at(now),
                Lane::Live => self.is_heard().then_some(now),
            };
            due.map(|due| due.max(self.paces[lane as usize].not_before))
        });
        due.chain(self.doubted_at().filter(|_| !self.is_silent)).min()
    }

    /// When an unanswered hello begins to say something.
    fn doubted_at(&self) -> Option<u64> {
        self.asked_at.map(|asked| asked.saturating_add(millis(PATIENCE)))
    }

    /// Notes whether a result shows that the cloud is there.
    fn note_sign(&mut self, lane: Lane, result: &Result<Done, Fault>, now: u64) {
        let is_sign = match result {
            Ok(done) => done.is_of_the_cloud(),
            Err(fault) => matches!(fault, Fault::Refused(_)),
        };
        self.is_silent &= !is_sign;
        self.asked_at = match lane {
            Lane::Greet => None,
            _ if is_sign => self.asked_at.map(|_| now),
            _ => self.asked_at,
        };
    }

    /// Facts were written.
    pub fn wake(&mut self) {
        self.has_facts = true;
    }

    /// Tells what came of a step.
    pub fn done(&mut self, lane: Lane, result: Result<Done, Fault>, now: u64) {
        self.pace(lane).is_busy = false;
        self.note_sign(lane, &result, now);
        match result {
            Ok(done) => {
                self.pace(lane).backoff.succeed();
                match lane {
                    Lane::Greet => self.greeted(done, now),
                    Lane::Push => self.pushed(done),
                    Lane::Pull => self.took(done, now),
                    Lane::Live => self.heard(done, now),
                }
            }
            Err(fault) => self.failed(lane, &fault, now),
        }
    }

    fn failed(&mut self, lane: Lane, fault: &Fault, now: u64) {
        let asked = fault.retry_after();
        let chance = self.chance.draw();
        let pause = self.pace(lane).backoff.after_failure(chance, asked);
        self.pace(lane).not_before = now.saturating_add(pause.as_millis() as u64);
        // That a stream ends is no trouble.
        if lane != Lane::Live {
            self.trouble = Some(fault.to_string());
        }
        if let Fault::Refused(problem) = fault
            && matches!(problem.code, ProblemCode::Revoked | ProblemCode::Version)
        {
            self.agreed = Agreed::Refused;
            self.hello_at = now.saturating_add(millis(crate::backoff::LONGEST));
            return;
        }
        match lane {
            // Also one that was said before its time: what it was to tell is told by the next.
            Lane::Greet => self.hello_at = self.hello_at.min(now),
            Lane::Push => self.not_pushed(fault, now),
            Lane::Pull => self.not_taken(fault),
            Lane::Live => {
                self.unheard(now);
                if matches!(fault, Fault::Silent(_)) {
                    // Is it the stream, or is it the line? An answer tells.
                    self.hello_at = self.hello_at.min(now);
                }
            }
        }
    }

    /// How it stands.
    pub fn status(&self) -> Status {
        match self.agreed {
            Agreed::Refused => Status::Refused,
            Agreed::Fenced => Status::Fenced,
            Agreed::Nothing => Status::Offline,
            Agreed::Welcome { .. }
                if self.is_silent || self.paces[Lane::Greet as usize].backoff.failures() > 1 =>
            {
                Status::Offline
            }
            Agreed::Welcome { .. } if self.is_settled() => Status::Synced,
            Agreed::Welcome { .. } => Status::Syncing,
        }
    }

    /// Whether nothing is known that one side has and the other has not. Looking whether it is so changes nothing.
    pub fn is_settled(&self) -> bool {
        matches!(self.agreed, Agreed::Welcome { .. })
            && !self.has_facts
            && self.to_acknowledge.is_none()
            && self.settling.is_empty()
            && self.task.iter().chain(&self.todo).all(Task::only_looks)
            && self.behind().is_none()
    }

    /// Facts that the cloud has not acknowledged, as far as the engine knows.
    pub fn pending(&self) -> u64 {
        self.last_seq.saturating_sub(self.acked).max(0).cast_unsigned()
    }

    /// The last answer to a hello.
    pub fn answer(&self) -> Option<&HelloAnswer> {
        self.answer.as_ref()
    }

    /// Where each scope stands here, and there.
    pub fn scopes(&self) -> Vec<(Scope, Cursor, i64)> {
        let place = |scope| self.cursors.get(scope).copied().unwrap_or_default();
        self.heads.iter().map(|(scope, head)| (*scope, place(scope), *head)).collect()
    }

    /// What went wrong last, until all is well.
    pub fn trouble(&self) -> Option<&str> {
        let others = &self.paces[..Lane::Live as usize];
        let trouble =
            self.trouble.as_deref().filter(|_| others.iter().any(|pace| pace.backoff.failures() > 0));
        trouble.or(self.is_silent.then_some("the cloud does not answer"))
    }

    fn pace(&mut self, lane: Lane) -> &mut Pace {
        &mut self.paces[lane as usize]
    }

    fn is_busy(&self, lane: Lane) -> bool {
        self.paces[lane as usize].is_busy
    }

    /// Whether the cloud speaks with this hub at all.
    fn is_heard(&self) -> bool {
        matches!(self.agreed, Agreed::Welcome { .. } | Agreed::Fenced)
    }

    fn note_head(&mut self, scope: Scope, seq: i64) {
        // Scopes that are not this hub's are none of its business.
        if let Some(head) = self.heads.get_mut(&scope) {
            *head = seq.max(*head);
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn standing_of(answer: &HelloAnswer) -> Agreed {
    match answer.standing {
        Standing::Welcome => Agreed::Welcome { epoch: answer.epoch },
        Standing::Fenced => Agreed::Fenced,
    }
}

/// What a hello changes in the store.
fn settlement(state: &LinkState, answer: &HelloAnswer, instance: Uuid) -> VecDeque<Step> {
    let mut steps = VecDeque::new();
    if answer.epoch != state.epoch || answer.ack != state.acked {
        steps.push_back(Step::GoOnFrom { epoch: answer.epoch, ack: answer.ack });
    }
    if state.predecessor != Some(instance) || state.moved {
        // Behind the epoch: whoever finds this run noted knows that its epoch is, too.
        steps.push_back(Step::Settle { instance });
    }
    steps
}
