//! Which subscriptions say the same to everybody, read from the schema's own text.
//!
//! A subscription is shared where its root field is marked `@shared` and everything selected below it is, too: every
//! object type is marked, no field is `@perViewer`. Whatever is not known to be the same for everybody is private: an
//! unknown name, an unknown directive, an interface of which one possible type is not marked.

use std::collections::{HashMap, HashSet};
use std::ptr;

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{
    BaseType, ConstDirective, Directive, ExecutableDocument, Field as AskedField, FieldDefinition,
    OperationDefinition, Selection, SelectionSet, Type, TypeKind, TypeSystemDefinition,
};
use async_graphql::{Name, Positioned, Value, Variables};

const SHARED: &str = "shared";
const PER_VIEWER: &str = "perViewer";

/// What a schema says of sharing.
#[derive(Debug, Default)]
pub(crate) struct SharingRules {
    /// The name of the root type of subscriptions.
    root: String,
    objects: HashMap<String, Object>,
    /// The object types behind an interface or union.
    possible: HashMap<String, Vec<String>>,
    /// Scalars and enums.
    leaves: HashSet<String>,
}

#[derive(Debug, Default)]
struct Object {
    shared: bool,
    fields: HashMap<String, Field>,
}

#[derive(Debug)]
struct Field {
    shared: bool,
    per_viewer: bool,
    /// Its type without lists and non-nulls.
    of: String,
}

impl SharingRules {
    /// Reads a schema's text.
    ///
    /// # Errors
    /// Where it is none.
    pub(crate) fn read(sdl: &str) -> Result<Self, async_graphql::parser::Error> {
        let mut rules = Self { root: "Subscription".to_owned(), ..Self::default() };
        rules.leaves.extend(["Boolean", "Float", "ID", "Int", "String"].map(str::to_owned));
        for definition in parse_schema(sdl)?.definitions {
            match definition {
                TypeSystemDefinition::Schema(schema) => {
                    if let Some(root) = schema.node.subscription {
                        rules.root = root.node.to_string();
                    }
                }
                TypeSystemDefinition::Type(ty) => {
                    let shared = marked(&ty.node.directives, SHARED);
                    rules.learn(ty.node.name.node.to_string(), shared, ty.node.kind);
                }
                TypeSystemDefinition::Directive(_) => {}
            }
        }
        Ok(rules)
    }

    fn learn(&mut self, name: String, shared: bool, kind: TypeKind) {
        match kind {
            TypeKind::Scalar | TypeKind::Enum(_) => {
                self.leaves.insert(name);
            }
            TypeKind::Object(object) => {
                for interface in object.implements {
                    self.possible.entry(interface.node.to_string()).or_default().push(name.clone());
                }
                let known = self.objects.entry(name).or_default();
                known.shared |= shared;
                known.fields.extend(object.fields.iter().map(field));
            }
            TypeKind::Union(union) => {
                let members = union.members.iter().map(|member| member.node.to_string());
                self.possible.entry(name).or_default().extend(members);
            }
            TypeKind::Interface(_) | TypeKind::InputObject(_) => {}
        }
    }

    /// The object types that a value of this type can have; `None` where one of them is private or unknown.
    fn shared_objects(&self, ty: &str) -> Option<Vec<&Object>> {
        let objects: Option<Vec<_>> = match self.possible.get(ty) {
            Some(possible) => possible.iter().map(|object| self.objects.get(object)).collect(),
            None => Some(vec![self.objects.get(ty)?]),
        };
        objects.filter(|objects| objects.iter().all(|object| object.shared))
    }

    /// Whether an operation's answers are the same for everybody who asks with these variables.
    pub(crate) fn apply(
        &self,
        document: &ExecutableDocument,
        operation: &OperationDefinition,
        variables: &Variables,
    ) -> bool {
        let mut walk = Walk { rules: self, document, operation, variables, seen: HashMap::new() };
        walk.root(&operation.selection_set.node) == Some(true)
    }
}

fn field(definition: &Positioned<FieldDefinition>) -> (String, Field) {
    let FieldDefinition { name, ty, directives, .. } = &definition.node;
    let (shared, per_viewer) = (marked(directives, SHARED), marked(directives, PER_VIEWER));
    (name.node.to_string(), Field { shared, per_viewer, of: innermost(&ty.node).to_string() })
}

fn innermost(ty: &Type) -> &Name {
    match &ty.base {
        BaseType::Named(name) => name,
        BaseType::List(of) => innermost(of),
    }
}

fn marked(directives: &[Positioned<ConstDirective>], with: &str) -> bool {
    directives.iter().any(|directive| directive.node.name.node == with)
}

/// One look at one operation.
struct Walk<'a> {
    rules: &'a SharingRules,
    document: &'a ExecutableDocument,
    operation: &'a OperationDefinition,
    variables: &'a Variables,
    /// What was found of a selection on a type: each is looked at once, however often it is spread. One that is being
    /// looked at counts as private, so cycles end.
    seen: HashMap<(&'a str, *const SelectionSet), bool>,
}

impl<'a> Walk<'a> {
    /// Whether all that is asked for at the root is shared; `None` where nothing is asked for.
    fn root(&mut self, set: &'a SelectionSet) -> Option<bool> {
        let mut verdict = None;
        for item in &set.items {
            let Some(selected) = self.selected(item.node.directives()) else { return Some(false) };
            if !selected {
                continue;
            }
            let Selection::Field(asked) = &item.node else { return Some(false) };
            let rules = self.rules;
            let known = rules.objects.get(&rules.root)?.fields.get(asked.node.name.node.as_str());
            let shared = known.is_some_and(|field| {
                field.shared && !field.per_viewer && self.below(&field.of, &asked.node.selection_set.node)
            });
            verdict = Some(verdict.unwrap_or(true) && shared);
        }
        verdict
    }

    /// Whether a selection on a type is the same for everybody.
    fn below(&mut self, ty: &'a str, set: &'a SelectionSet) -> bool {
        if let Some(known) = self.seen.get(&(ty, ptr::from_ref(set))) {
            return *known;
        }
        self.seen.insert((ty, ptr::from_ref(set)), false);
        let shared = if self.rules.leaves.contains(ty) {
            set.items.is_empty()
        } else {
            self.rules.shared_objects(ty).is_some_and(|objects| self.on(ty, &objects, set))
        };
        self.seen.insert((ty, ptr::from_ref(set)), shared);
        shared
    }

    fn on(&mut self, ty: &'a str, objects: &[&'a Object], set: &'a SelectionSet) -> bool {
        set.items.iter().all(|item| match self.selected(item.node.directives()) {
            None => false,
            Some(false) => true,
            Some(true) => match &item.node {
                Selection::Field(asked) => self.field(objects, &asked.node),
                Selection::InlineFragment(inline) => {
                    let on = inline.node.type_condition.as_ref();
                    self.below(on.map_or(ty, |on| &on.node.on.node), &inline.node.selection_set.node)
                }
                Selection::FragmentSpread(spread) => self.fragment(&spread.node.fragment_name.node),
            },
        })
    }

    fn field(&mut self, objects: &[&'a Object], asked: &'a AskedField) -> bool {
        asked.name.node == "__typename"
            || objects.iter().all(|object| {
                let known = object.fields.get(asked.name.node.as_str());
                known.is_some_and(|field| {
                    !field.per_viewer && self.below(&field.of, &asked.selection_set.node)
                })
            })
    }

    fn fragment(&mut self, name: &Name) -> bool {
        let document = self.document;
        document.fragments.get(name).is_some_and(|Positioned { node: fragment, .. }| {
            fragment.directives.is_empty()
                && self.below(&fragment.type_condition.node.on.node, &fragment.selection_set.node)
        })
    }

    /// Whether something is selected at all: it is skipped only where that is certain, and the variables by which it
    /// is are part of what subscribers must have in common. `None` for directives that are not known here.
    fn selected(&self, directives: &[Positioned<Directive>]) -> Option<bool> {
        let mut selected = true;
        for Positioned { node: directive, .. } in directives {
            let left_out_if = match directive.name.node.as_str() {
                "skip" => true,
                "include" => false,
                _ => return None,
            };
            let condition = directive.get_argument("if")?.node.clone();
            let condition = condition.into_const_with(|name| self.variable(&name).cloned().ok_or(()));
            selected &= condition != Ok(Value::Boolean(left_out_if));
        }
        Some(selected)
    }

    fn variable(&self, name: &Name) -> Option<&Value> {
        let mut definitions = self.operation.variable_definitions.iter();
        let definition = definitions.find(|definition| definition.node.name.node == *name)?;
        self.variables.get(name).or(definition.node.default_value())
    }
}

#[cfg(test)]
mod tests;
