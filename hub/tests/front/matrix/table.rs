//! The table of expectations: a line is a field and an outcome for everybody, in the order of the head.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::Outcome;
use super::scene::WHO;

#[derive(Clone)]
pub(crate) struct Table(BTreeMap<String, Vec<Outcome>>);

impl Table {
    /// Reads the table; panics where its head is not [`WHO`] or a line is not complete.
    pub(crate) fn read(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
        let mut rows = lines.map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(
            rows.next().map(|mut head| head.split_off(1)).unwrap_or_default(),
            WHO,
            "the head of the table"
        );
        let mut table = BTreeMap::new();
        for mut row in rows {
            let outcomes = row.split_off(1);
            assert_eq!(outcomes.len(), WHO.len(), "{row:?} has an outcome for everybody");
            assert!(table.insert(row[0].clone(), outcomes).is_none(), "{row:?} is there twice");
        }
        Self(table)
    }

    /// Fields without a line.
    pub(crate) fn missing(&self, fields: &BTreeSet<String>) -> BTreeSet<String> {
        fields.iter().filter(|field| !self.0.contains_key(*field)).cloned().collect()
    }

    /// Lines without a field; `Type.field:probe` is a line of `Type.field`.
    pub(crate) fn stray(&self, fields: &BTreeSet<String>) -> BTreeSet<String> {
        let is_stray = |line: &&String| !fields.contains(line.split(':').next().unwrap_or_default());
        self.0.keys().filter(is_stray).cloned().collect()
    }

    /// Lines that are not as `found`, as they would have to be written.
    pub(crate) fn differences(&self, found: &BTreeMap<String, Vec<Outcome>>) -> Vec<String> {
        let asked: BTreeSet<&String> = self.0.keys().chain(found.keys()).collect();
        let wrong = asked.into_iter().filter(|line| self.0.get(*line) != found.get(*line));
        wrong.map(|line| row(line, found.get(line).map_or(&[], Vec::as_slice))).collect()
    }

    /// The same table with one other outcome.
    pub(crate) fn with(&self, line: &str, who: &str, outcome: &str) -> Self {
        let mut table = self.clone();
        let column = WHO.iter().position(|column| *column == who).unwrap();
        outcome.clone_into(&mut table.0.get_mut(line).unwrap()[column]);
        table
    }
}

fn row(line: &str, outcomes: &[Outcome]) -> String {
    let mut row = format!("{line:<36}");
    for outcome in outcomes {
        write!(row, " {outcome:<14}").unwrap();
    }
    row.trim_end().to_owned()
}
