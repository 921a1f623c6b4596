//! Facts go up: one batch after the other, each from where the cloud has acknowledged.
//!
//! Two at a time would need two connections, and what is sent second may come first: then it is a gap, which is a refusal and
//! a hello. The cloud would gain nothing either: it takes a hub's facts in order, under that hub's lock.

use super::{Agreed, Done, Engine, Fault, Lane, Step};
use crate::wire::{Apart, Fact, MOST_FACTS, ProblemCode, PushAnswer};

impl Engine {
    pub(super) fn has_to_push(&self) -> bool {
        let may = matches!(self.agreed, Agreed::Welcome { .. })
            && self.settling.is_empty()
            && !self.is_busy(Lane::Greet)
            && self.has_facts;
        may || self.to_acknowledge.is_some()
    }

    pub(super) fn push(&mut self) -> Option<Step> {
        if let Some((ack, apart)) = &self.to_acknowledge {
            return Some(Step::Acknowledge { ack: *ack, apart: apart.clone() });
        }
        if !self.has_to_push() {
            return None;
        }
        let Agreed::Welcome { epoch } = self.agreed else { return None };
        // What is written from now on asks anew.
        self.has_facts = false;
        let (instance, after, most) = (self.settings.instance, self.acked, self.most_facts);
        Some(Step::Push { epoch, instance, after, most })
    }

    pub(super) fn pushed(&mut self, done: Done) {
        match done {
            Done::Pushed(facts, answer) => self.take_answer(&facts, answer),
            Done::Stored => self.to_acknowledge = None,
            _ => {}
        }
    }

    fn take_answer(&mut self, facts: &[Fact], answer: PushAnswer) {
        let first = self.acked + 1;
        let last = self.acked + facts.len() as i64;
        self.last_seq = self.last_seq.max(last);
        self.has_facts = true;
        self.most_facts = MOST_FACTS;
        // A cloud may have more under our name than was sent now: what it has of that is not known to be ours.
        let ack = answer.ack.min(last);
        if ack < first {
            return;
        }
        let fact_of = |apart: &Apart| facts.get(usize::try_from(apart.seq - first).ok()?).cloned();
        let apart = answer.apart.into_iter().filter(|apart| apart.seq <= ack);
        let apart = apart.filter_map(|apart| fact_of(&apart).map(|fact| (apart, fact))).collect();
        self.acked = ack;
        self.to_acknowledge = Some((ack, apart));
    }

    pub(super) fn not_pushed(&mut self, fault: &Fault, now: u64) {
        self.has_facts = true;
        let Fault::Refused(problem) = fault else { return };
        match problem.code {
            ProblemCode::Gap | ProblemCode::Fork | ProblemCode::Epoch | ProblemCode::Fenced => {
                self.has_forked = problem.code == ProblemCode::Fork;
                self.agreed = Agreed::Nothing;
                self.hello_at = now;
            }
            // Perhaps too much at once. One fact alone is sent as long as it takes: that it is bad, only an answer says.
            ProblemCode::Malformed => self.most_facts = (self.most_facts / 2).max(1),
            _ => {}
        }
    }
}
