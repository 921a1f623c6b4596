//! What is asked of each row of a list, compiled once for all of them.

use std::collections::HashMap;

use async_graphql::parser::types::{Field, FragmentDefinition, Selection, SelectionSet};
use async_graphql::{ContextSelectionSet, Name, Positioned, QueryPathNode, QueryPathSegment};

use super::{Row, View};

type Fragments = HashMap<Name, Positioned<FragmentDefinition>>;

/// What a field's JSON is reckoned to take, so that a list's buffer seldom grows.
const USUAL_BYTES: usize = 24;

/// A compiled selection: what is written before each field, and the field.
pub struct Plan<R: Row> {
    fields: Vec<(Vec<u8>, Wanted<R>)>,
}

impl<R: Row> std::fmt::Debug for Plan<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let leads = self.fields.iter().map(|(lead, _)| String::from_utf8_lossy(lead));
        f.debug_list().entries(leads).finish()
    }
}

enum Wanted<R: Row> {
    TypeName,
    Own(R::Field),
}

/// One field that is asked for; what is asked inside it may stand in several places of the document.
#[derive(Debug)]
pub struct Asked<'a> {
    key: &'a str,
    pub(crate) name: &'a str,
    sets: Vec<&'a SelectionSet>,
    fragments: &'a Fragments,
}

impl Asked<'_> {
    /// Compiles what is asked inside.
    pub(crate) fn plan<R: Row>(&self) -> Option<Plan<R>> {
        Plan::compile(&self.sets, self.fragments)
    }
}

/// Compiles what is asked of a list's rows; `None` where it is not plain.
pub(super) fn compile<R: Row>(ctx: &ContextSelectionSet<'_>) -> Option<Plan<R>> {
    let fragments = &ctx.query_env.fragments;
    let root = &ctx.query_env.operation.node.selection_set.node;
    stands_alone(ctx.path_node.as_ref(), root, fragments).then_some(())?;
    Plan::compile(&[&ctx.item.node], fragments)
}

/// Whether no field on the way to a list is asked for twice: the engine merges the values of such fields, and bytes
/// cannot be merged.
fn stands_alone(at: Option<&QueryPathNode<'_>>, root: &SelectionSet, fragments: &Fragments) -> bool {
    let Some(at) = at else { return false };
    let mut keys: Vec<&str> = std::iter::once(at)
        .chain(at.parents())
        .filter_map(|node| match node.segment {
            QueryPathSegment::Name(name) => Some(name),
            QueryPathSegment::Index(_) => None,
        })
        .collect();
    keys.reverse();
    let mut set = root;
    for key in keys {
        let mut found = Vec::new();
        gather(set, fragments, &mut |field| {
            if field.response_key().node == key {
                found.push(field);
            }
            Some(())
        });
        let [field] = found[..] else { return false };
        set = &field.selection_set.node;
    }
    true
}

/// Visits every field of a set, fragments put in their place, whatever their type conditions.
fn gather<'a>(
    set: &'a SelectionSet,
    fragments: &'a Fragments,
    visit: &mut impl FnMut(&'a Field) -> Option<()>,
) -> Option<()> {
    for item in &set.items {
        match &item.node {
            Selection::Field(field) => visit(&field.node)?,
            Selection::InlineFragment(inline) => gather(&inline.node.selection_set.node, fragments, visit)?,
            Selection::FragmentSpread(spread) => {
                let fragment = fragments.get(&spread.node.fragment_name.node)?;
                gather(&fragment.node.selection_set.node, fragments, visit)?;
            }
        }
    }
    Some(())
}

/// Whether every fragment of a set applies to every row of these types, and nothing carries a directive.
///
/// The engine has taken `@skip` and `@include` out by now, with what they skip.
fn is_plain(set: &SelectionSet, types: &[&str], fragments: &Fragments) -> bool {
    set.items.iter().all(|item| match &item.node {
        Selection::Field(field) => field.node.directives.is_empty() && field.node.arguments.is_empty(),
        Selection::InlineFragment(inline) => {
            let inline = &inline.node;
            let condition = inline.type_condition.as_ref().map(|condition| condition.node.on.node.as_str());
            condition.is_none_or(|on| types.contains(&on))
                && inline.directives.is_empty()
                && is_plain(&inline.selection_set.node, types, fragments)
        }
        Selection::FragmentSpread(spread) => {
            fragments.get(&spread.node.fragment_name.node).is_some_and(|fragment| {
                types.contains(&fragment.node.type_condition.node.on.node.as_str())
                    && spread.node.directives.is_empty()
                    && fragment.node.directives.is_empty()
                    && is_plain(&fragment.node.selection_set.node, types, fragments)
            })
        }
    })
}

impl<R: Row> Plan<R> {
    /// Compiles the selections of one place. An empty one (all of it skipped) is left to the engine, which has a
    /// meaning of its own for it.
    fn compile(sets: &[&SelectionSet], fragments: &Fragments) -> Option<Self> {
        let mut asked: Vec<Asked<'_>> = Vec::new();
        for set in sets {
            let mut any = false;
            is_plain(set, R::TYPES, fragments).then_some(())?;
            gather(set, fragments, &mut |field| {
                any = true;
                note(&mut asked, field, fragments)
            })?;
            any.then_some(())?;
        }
        let mut fields = Vec::with_capacity(asked.len());
        for (position, asked) in asked.iter().enumerate() {
            let wanted = match asked.name {
                "__typename" => Wanted::TypeName,
                _ => Wanted::Own(R::field(asked)?),
            };
            let opening = if position == 0 { '{' } else { ',' };
            // The key of a field is a name of GraphQL: letters, digits, underscores.
            fields.push((format!("{opening}\"{}\":", asked.key).into_bytes(), wanted));
        }
        Some(Self { fields })
    }

    /// About how many bytes a row takes.
    pub(super) fn guess(&self) -> usize {
        self.fields.iter().map(|(lead, _)| lead.len() + USUAL_BYTES).sum()
    }

    /// Appends a row's JSON.
    pub(crate) fn write(&self, row: &R, view: &View<'_>, out: &mut Vec<u8>) {
        for (lead, wanted) in &self.fields {
            out.extend_from_slice(lead);
            match wanted {
                Wanted::TypeName => super::write::text(R::TYPES[0], out),
                Wanted::Own(field) => row.write(field, view, out),
            }
        }
        out.push(b'}');
    }

    /// Appends all rows as a JSON array.
    pub(crate) fn write_all(&self, rows: &[R], view: &View<'_>, out: &mut Vec<u8>) {
        super::write::list(rows, out, |row, out| self.write(row, view, out));
    }
}

/// Puts a field beside the others, or what is asked inside it to what was asked under the same key before.
fn note<'a>(asked: &mut Vec<Asked<'a>>, field: &'a Field, fragments: &'a Fragments) -> Option<()> {
    let (key, name) = (field.response_key().node.as_str(), field.name.node.as_str());
    let set = &field.selection_set.node;
    match asked.iter_mut().find(|known| known.key == key) {
        Some(known) => {
            (known.name == name).then_some(())?;
            known.sets.push(set);
        }
        None => asked.push(Asked { key, name, sets: vec![set], fragments }),
    }
    Some(())
}
