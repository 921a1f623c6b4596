//! The people in a zone as the rules see them: what they want, how much they count, what they have had.

use serde::{Deserialize, Serialize};

use crate::embedding::AXES;
use crate::fairness::{self, Debt, Fairness};
use crate::id::ListenerId;
use crate::vector::{Axes, add_scaled, dot, norm, unit};
use crate::vibe::{Presence, Target, Vibe, mean, target};

/// One person in the room; all sessions of one device are one of them.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Listener {
    /// Who, where that is known; no rule asks for it but the ones that count what everybody had.
    #[serde(default)]
    pub who: Option<ListenerId>,
    /// From [`crate::vibe::presence_weight`].
    pub weight: f64,
    /// From [`crate::taste::taste`].
    pub taste: Option<Axes>,
    /// What they have had since they checked in.
    pub debt: Debt,
}

/// Who is in a zone, and what stands in for them when nobody has a say.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Room {
    /// In any order.
    pub listeners: Vec<Listener>,
    /// 0 = plain mean, 1 = strict turns.
    pub fairness: f64,
    /// What the zone sounds like by itself.
    pub profile: Option<[f64; AXES]>,
    /// As how many people the profile has its say while somebody is there who has a taste.
    pub profile_weight: f64,
    /// The middle of the catalogue.
    pub catalogue: Option<[f64; AXES]>,
}

impl Room {
    /// The vibe with everybody's weight as it is: what the room is shown.
    pub fn vibe(&self) -> Option<Vibe> {
        mean(&self.listeners, |one| Presence { weight: one.weight, taste: one.taste })
    }

    /// What the next song is measured against: the vibe with fair weights, or what stands in for it.
    pub fn target(&self) -> Target {
        let fair = mean(&self.listeners, |one| Presence {
            weight: one.weight * one.debt.factor(self.fairness),
            taste: one.taste,
        });
        let fair = fair.map(|vibe| self.with_profile(vibe));
        target(fair.as_ref(), self.profile.as_ref(), self.catalogue.as_ref())
    }

    /// The people's vibe with the profile among them, as one more of them, of its weight.
    fn with_profile(&self, people: Vibe) -> Vibe {
        let profile = self.profile.as_ref().and_then(unit).filter(|_| self.profile_weight > 0.0);
        let Some(profile) = profile else { return people };
        let weights = self.listeners.iter().map(|one| (one.weight * one.debt.factor(self.fairness)).max(0.0));
        let all = weights.sum::<f64>();
        let mut axes = people.axes.map(|axis| axis * all);
        add_scaled(&mut axes, &profile, self.profile_weight);
        let axes = axes.map(|axis| axis / (all + self.profile_weight));
        Vibe { axes, consensus: norm(&axes).min(1.0) }
    }

    /// The tastes of those who count, for the misery guard.
    pub fn tastes(&self) -> Vec<Axes> {
        self.listeners.iter().filter(|one| one.weight > 0.0).filter_map(|one| one.taste).collect()
    }

    /// The tastes of those who have had as many songs against them in a row as anybody should, for the drought guard.
    pub fn dry(&self) -> Vec<Axes> {
        let dry = self.listeners.iter().filter(|one| one.weight > 0.0 && one.debt.is_dry());
        dry.filter_map(|one| one.taste).collect()
    }

    /// Lets everybody hear a song; one without a direction changes nothing.
    pub fn hear(&mut self, song: Option<&Axes>) {
        let Some(song) = song else { return };
        let tastes = self.tastes();
        if tastes.is_empty() {
            return;
        }
        let mean = tastes.iter().map(|taste| dot(taste, song)).sum::<f64>() / tastes.len() as f64;
        for listener in self.listeners.iter_mut().filter(|one| one.weight > 0.0) {
            if let Some(taste) = &listener.taste {
                listener.debt.hear(dot(taste, song), mean);
            }
        }
    }

    /// How the room fares.
    pub fn fairness_so_far(&self) -> Option<Fairness> {
        let debts: Vec<Debt> = self.listeners.iter().map(|listener| listener.debt).collect();
        fairness::summary(&debts)
    }
}
