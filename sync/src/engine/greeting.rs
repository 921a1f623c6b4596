//! Hello, and what follows from the answer.

use super::{Agreed, Done, Engine, Lane, Step, millis, settlement, standing_of};
use crate::engine::pulling::Task;
use crate::store::LinkState;
use crate::wire::{HelloAnswer, Kind, Scope};

/// What changes within this is told as one.
const TOLD_AFTER_MS: u64 = 1_000;

/// What guests of the cloud's page have changed is told to it after this at the latest, also where news is not.
const TOLD_TO_GUESTS_MS: u64 = 2_500;

impl Engine {
    /// What only a hello tells has changed: what the zones show, how loud players are. The cloud hears of it in a moment, as often
    /// as it wants hellos; where it is out of reach, with the first that reaches it.
    pub fn tell(&mut self, now: u64) {
        // The first of what has changed: the rest of it waits no longer.
        self.news_at.get_or_insert(now + TOLD_AFTER_MS);
    }

    /// When the next hello is due.
    fn hello_due_at(&self) -> u64 {
        let is_welcome = matches!(self.agreed, Agreed::Welcome { .. });
        let every = self.answer.as_ref().map_or(0, |answer| answer.news_every_ms);
        let news_at = self.news_at.filter(|_| is_welcome && every > 0);
        news_at.map_or(self.hello_at, |at| self.hello_at.min(at.max(self.greeted_at.saturating_add(every))))
    }

    /// Guests of the cloud's page see there what they have changed here.
    pub(super) fn tell_guests(&mut self, now: u64) {
        self.hello_at = self.hello_at.min(now + TOLD_TO_GUESTS_MS);
    }

    pub(super) fn greets_at(&self) -> u64 {
        if self.settling.is_empty() { self.hello_due_at() } else { 0 }
    }

    pub(super) fn greet(&mut self, now: u64) -> Option<Step> {
        if let Some(step) = self.settling.front() {
            return Some(step.clone());
        }
        // What a push acknowledges while a hello is under way would be taken back by the hello's answer.
        if now < self.hello_due_at() || self.is_busy(Lane::Push) || self.to_acknowledge.is_some() {
            return None;
        }
        self.pulled_at_hello = self.pulled;
        self.asked_at = Some(now);
        // What changes from now on may be too late for this one.
        self.news_at = None;
        Some(Step::Hello { instance: self.settings.instance, forked: self.has_forked })
    }

    pub(super) fn greeted(&mut self, done: Done, now: u64) {
        match done {
            Done::Greeted(greeted) => self.welcome(&greeted.0, greeted.1, now),
            _ => drop(self.settling.pop_front()),
        }
    }

    fn welcome(&mut self, state: &LinkState, answer: HelloAnswer, now: u64) {
        // Spread, so that a thousand hubs that began together do not stay together.
        let every = millis(self.settings.hello_every);
        self.hello_at = now + every * 9 / 10 + (every as f64 * 0.1 * self.chance.draw()) as u64;
        self.greeted_at = now;
        self.has_forked = false;
        let first = self.answer.is_none();
        self.agreed = standing_of(&answer);
        self.last_seq = state.last_seq;
        self.acked = state.acked;
        if let Agreed::Welcome { epoch } = self.agreed {
            self.settling = settlement(state, &answer, self.settings.instance);
            self.acked = answer.ack;
            self.has_facts |= self.last_seq > self.acked;
            if epoch != state.epoch {
                self.todo.push_back(Task::heard(answer.now));
            }
        }
        self.heads = answer.heads.iter().map(|head| (head.scope, head.seq)).collect();
        let is_pulling = self.is_busy(Lane::Pull) || self.task.is_some();
        if first || (!is_pulling && self.pulled == self.pulled_at_hello) {
            self.cursors = state.cursors.iter().copied().collect();
            self.look_for_what_was_lost();
            // What the hello said of the store may be older than a kind that was noted meanwhile.
            self.want_revisions(state, &answer);
        }
        if first {
            self.verify_at = now + millis(self.settings.verify_every);
            self.poll_at = now + millis(self.settings.poll_every);
            self.scrub_at = now + millis(self.settings.scrub_every);
        }
        self.answer = Some(answer);
    }

    /// A feed that ends before where it was read to is another one: the cloud was put back to an earlier state.
    fn look_for_what_was_lost(&mut self) {
        for (scope, head) in &self.heads {
            if self.cursors.get(scope).is_some_and(|cursor| cursor.seq > *head) {
                self.todo.push_back(Task::all(*scope));
            }
        }
    }

    /// Kinds of which the cloud has more to tell than was taken. What was never pulled comes with all that this program
    /// knows.
    fn want_revisions(&mut self, state: &LinkState, answer: &HelloAnswer) {
        for (kind, known) in self.settings.reads.clone() {
            let word = kind.word();
            let theirs =
                answer.revisions.iter().find(|(name, _)| name == word).map(|(_, revision)| *revision);
            let taken = state.revisions.iter().find(|(name, _)| name == word).map(|(_, revision)| *revision);
            let Some(wanted) = theirs.map(|theirs| theirs.min(known)) else { continue };
            if taken.is_some_and(|taken| taken >= wanted) || self.is_refetching(word) {
                continue;
            }
            let is_theirs = |scope: &&Scope| matches!(scope, Scope::Catalogue(_)) == (kind == Kind::Song);
            let Some(scope) = self.heads.keys().find(is_theirs).copied() else { continue };
            let was_pulled = self.cursors.get(&scope).is_some_and(|cursor| cursor.seq > 0);
            self.todo.push_back(Task::refetch(scope, word, wanted, was_pulled));
        }
    }
}
