//! Facts in columns: what changes little from one to the next stands together and packs to almost nothing.

use roomtone_schema::BootId;
use serde::{Deserialize, Serialize};

use super::packing::Payloads;

/// A fact of a hub's outbox as it travels. Its hash and its link of the chain follow from the payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// What it says, as the hub names it.
    pub kind: String,
    /// The noun, as JSON; exactly the bytes that the hub has hashed.
    pub payload: Vec<u8>,
    /// When it happened, by the hub's hybrid clock: steady milliseconds << 16, and a counter.
    pub hlc: u64,
    /// On which run of the machine.
    pub boot: BootId,
    /// By that run's monotonic clock.
    pub mono_ms: i64,
    /// By its wall clock.
    pub wall_ms: i64,
}

/// Facts as columns.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The kinds that occur.
    names: Vec<String>,
    /// For each fact its place in `names`.
    #[serde(with = "serde_bytes")]
    kinds: Vec<u8>,
    payloads: Payloads,
    /// Each less the one before it.
    hlc: Vec<i64>,
    /// The runs that occur, and how many facts in a row are of each.
    boots: Vec<(BootId, u32)>,
    /// Each less the one before it.
    mono_ms: Vec<i64>,
    /// The wall clock less the monotonic one, each less the one before it: zeros, but where a clock was set.
    wall_ms: Vec<i64>,
}

/// Columns that are not of one length, or name a kind that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the facts of this push do not fit together")]
pub struct Ragged;

impl Facts {
    /// The kinds that occur.
    pub fn kinds(&self) -> &[String] {
        &self.names
    }

    /// Puts facts into columns.
    ///
    /// # Errors
    /// [`Ragged`] where there are more than 256 kinds.
    pub fn of(facts: &[Fact]) -> Result<Self, Ragged> {
        let mut columns = Self::default();
        let (mut hlc, mut mono_ms, mut apart) = (0_i64, 0_i64, 0_i64);
        for fact in facts {
            let known = columns.names.iter().position(|name| *name == fact.kind);
            let kind = known.unwrap_or(columns.names.len());
            if known.is_none() {
                columns.names.push(fact.kind.clone());
            }
            columns.kinds.push(u8::try_from(kind).or(Err(Ragged))?);
            let (now, wall) = (fact.hlc.cast_signed(), fact.wall_ms.wrapping_sub(fact.mono_ms));
            columns.hlc.push(now.wrapping_sub(hlc));
            columns.mono_ms.push(fact.mono_ms.wrapping_sub(mono_ms));
            columns.wall_ms.push(wall.wrapping_sub(apart));
            (hlc, mono_ms, apart) = (now, fact.mono_ms, wall);
            match columns.boots.last_mut() {
                Some((boot, times)) if *boot == fact.boot => *times += 1,
                _ => columns.boots.push((fact.boot, 1)),
            }
        }
        columns.payloads = Payloads::of(facts.iter().map(|fact| (fact.payload.as_slice(), fact.hlc)));
        Ok(columns)
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.payloads.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.payloads.len() == 0
    }

    /// The facts, one by one.
    ///
    /// # Errors
    /// [`Ragged`], also where they would be longer than a message may be.
    pub fn into_facts(self) -> Result<Vec<Fact>, Ragged> {
        let many = self.payloads.len();
        let told: u64 = self.boots.iter().map(|(_, times)| u64::from(*times)).sum();
        let lengths = [self.kinds.len(), self.hlc.len(), self.mono_ms.len(), self.wall_ms.len()];
        if lengths.iter().any(|length| *length != many) || told != many as u64 {
            return Err(Ragged);
        }
        let boots = self.boots.iter().flat_map(|(boot, times)| std::iter::repeat_n(*boot, *times as usize));
        let clocks = self.hlc.iter().scan(0_i64, |hlc, step| {
            *hlc = hlc.wrapping_add(*step);
            Some(hlc.cast_unsigned())
        });
        let clocks: Vec<u64> = clocks.collect();
        let payloads = self.payloads.unpack(&clocks)?;
        let (mut mono_ms, mut apart) = (0_i64, 0_i64);
        let mut facts = Vec::with_capacity(many);
        for (index, (payload, boot)) in payloads.into_iter().zip(boots).enumerate() {
            mono_ms = mono_ms.wrapping_add(self.mono_ms[index]);
            apart = apart.wrapping_add(self.wall_ms[index]);
            let kind = self.names.get(usize::from(self.kinds[index])).ok_or(Ragged)?.clone();
            let wall_ms = mono_ms.wrapping_add(apart);
            facts.push(Fact { kind, payload, hlc: clocks[index], boot, mono_ms, wall_ms });
        }
        Ok(facts)
    }
}
