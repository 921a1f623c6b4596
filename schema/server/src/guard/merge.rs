//! Fields that meet in the answer: repeated ones, and ones that contradict each other.
//!
//! The engine runs a field as often as it is written, and its validator compares each with the first of its name and
//! reports every difference, argument by argument, once for each selection set around it. So repetitions count as
//! aliases, and the first contradiction ends the matter here.
//!
//! This walks through the document with its fragments in place; how large that is has been bounded before.

use async_graphql::parser::types::{
    ExecutableDocument, Field, OperationType, Selection, SelectionSet, TypeCondition,
};
use async_graphql::{Name, Positioned};

use super::{Bounds, TooMuch, at_most};

pub(super) fn check(bounds: &Bounds, document: &ExecutableDocument) -> Result<(), TooMuch> {
    for (_, operation) in document.operations.iter() {
        let mut merge = Merge { bounds, document, repeats: 0 };
        let root = &operation.node.selection_set.node;
        if operation.node.ty == OperationType::Mutation {
            merge.once_each(root)?;
        }
        merge.sets(&[root])?;
    }
    for fragment in document.fragments.values() {
        Merge { bounds, document, repeats: 0 }.sets(&[&fragment.node.selection_set.node])?;
    }
    Ok(())
}

struct Merge<'a> {
    bounds: &'a Bounds,
    document: &'a ExecutableDocument,
    repeats: usize,
}

/// A field, and for which of the types that its place may have.
type Meeting<'a> = (Option<&'a str>, &'a Field);

impl<'a> Merge<'a> {
    /// Looks at selection sets that are answered by one object.
    fn sets(&mut self, sets: &[&'a SelectionSet]) -> Result<(), TooMuch> {
        let mut fields = Vec::new();
        for set in sets {
            self.gather(None, set, &mut fields);
        }
        let place = |(on, field): &Meeting<'a>| (*on, field.response_key().node.as_str());
        fields.sort_by_key(place);
        for group in fields.chunk_by(|one, other| place(one) == place(other)) {
            let [(_, first), others @ ..] = group else { continue };
            if others.iter().any(|(_, other)| !same(first, other)) {
                return Err(TooMuch::Conflict(first.response_key().node.to_string()));
            }
            let within = group.iter().map(|(_, field)| &field.selection_set.node);
            let within: Vec<_> = within.filter(|set| !set.items.is_empty()).collect();
            self.repeats += within.len().saturating_sub(1);
            at_most(self.bounds.aliases, self.repeats, TooMuch::Aliases)?;
            self.sets(&within)?;
        }
        Ok(())
    }

    fn gather(&self, on: Option<&'a str>, set: &'a SelectionSet, fields: &mut Vec<Meeting<'a>>) {
        for item in &set.items {
            match &item.node {
                Selection::Field(field) => fields.push((on, &field.node)),
                Selection::InlineFragment(inline) => {
                    let condition = inline.node.type_condition.as_ref();
                    self.gather(condition.map(type_of), &inline.node.selection_set.node, fields);
                }
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = self.document.fragments.get(&spread.node.fragment_name.node) {
                        let on = type_of(&fragment.node.type_condition);
                        self.gather(Some(on), &fragment.node.selection_set.node, fields);
                    }
                }
            }
        }
    }

    /// One mutation is one intent; what is limited by the minute is counted by the operation.
    fn once_each(&self, root: &'a SelectionSet) -> Result<(), TooMuch> {
        let mut fields = Vec::new();
        self.gather(None, root, &mut fields);
        let mut names: Vec<&Name> = fields.iter().map(|(_, field)| &field.name.node).collect();
        names.sort_unstable();
        match names.windows(2).find(|two| two[0] == two[1]) {
            Some(again) => Err(TooMuch::Again(again[0].to_string())),
            None => Ok(()),
        }
    }
}

fn type_of(condition: &Positioned<TypeCondition>) -> &str {
    condition.node.on.node.as_str()
}

/// Whether two fields ask for the same thing.
fn same(one: &Field, other: &Field) -> bool {
    one.name.node == other.name.node
        && one.arguments.len() == other.arguments.len()
        && one.arguments.iter().all(|(name, value)| {
            other.get_argument(&name.node).is_some_and(|theirs| theirs.node == value.node)
        })
}
