//! How large a document is with every fragment and variable in its place, every fragment measured once.

use std::collections::HashMap;

use async_graphql::parser::types::{
    Directive, ExecutableDocument, Field, OperationDefinition, Selection, SelectionSet,
};
use async_graphql::{Name, Positioned};
use async_graphql_value::Value as Argument;
use serde_json::{Map, Value};

use super::{Bounds, Survey, TooMuch, at_most};

/// Bytes of text that count as one value: what is copied for a field is bounded, too.
const TEXT_UNIT: usize = 100;

pub(super) fn check<'a>(
    bounds: &'a Bounds,
    document: &'a ExecutableDocument,
    variables: &'a Map<String, Value>,
) -> Result<Survey, TooMuch> {
    at_most(bounds.operations, document.operations.iter().count(), TooMuch::Operations)?;
    let mut measure = Measure { bounds, document, fragments: HashMap::new(), variables: HashMap::new() };
    measure.weigh(variables);
    let mut whole = Extent::default();
    for (_, operation) in document.operations.iter() {
        whole = whole.beside(measure.operation(&operation.node)?);
        bounds.hold(whole)?;
    }
    // The validator walks through fragments that nobody spreads, too.
    for name in document.fragments.keys() {
        if !measure.fragments.contains_key(name) {
            whole = whole.beside(measure.fragment(name)?);
            bounds.hold(whole)?;
        }
    }
    Ok(Survey { introspects: whole.introspects })
}

impl Bounds {
    fn hold(&self, extent: Extent) -> Result<(), TooMuch> {
        at_most(self.nesting, extent.levels, TooMuch::Nesting)?;
        at_most(self.selections, extent.selections, TooMuch::Selections)?;
        at_most(self.depth, extent.depth, TooMuch::Depth)?;
        at_most(self.aliases, extent.aliases, TooMuch::Aliases)?;
        at_most(self.directives_in_all, extent.directives, TooMuch::DirectivesInAll)?;
        at_most(self.values, extent.values, TooMuch::Values)
    }
}

/// How large something is; sums saturate, so that a bomb is only a large number.
#[derive(Debug, Clone, Copy, Default)]
struct Extent {
    selections: usize,
    /// Selections inside one another.
    levels: usize,
    /// Fields inside one another.
    depth: usize,
    aliases: usize,
    directives: usize,
    values: usize,
    /// Fields answered, were this asked of the schema.
    about_schema: usize,
    introspects: bool,
}

impl Extent {
    fn beside(self, other: Self) -> Self {
        Self {
            selections: self.selections.saturating_add(other.selections),
            levels: self.levels.max(other.levels),
            depth: self.depth.max(other.depth),
            aliases: self.aliases.saturating_add(other.aliases),
            directives: self.directives.saturating_add(other.directives),
            values: self.values.saturating_add(other.values),
            about_schema: self.about_schema.saturating_add(other.about_schema),
            introspects: self.introspects || other.introspects,
        }
    }

    /// A selection that holds this.
    fn inside(self) -> Self {
        Self { selections: self.selections.saturating_add(1), levels: self.levels + 1, ..self }
    }
}

struct Measure<'a> {
    bounds: &'a Bounds,
    document: &'a ExecutableDocument,
    /// `None` while a fragment is being measured: meeting it then is a cycle.
    fragments: HashMap<&'a Name, Option<Extent>>,
    /// What each variable weighs: its value or its default, whichever is more.
    variables: HashMap<&'a str, usize>,
}

impl<'a> Measure<'a> {
    /// The validator looks values up by name, whether an operation declares them or not.
    fn weigh(&mut self, variables: &'a Map<String, Value>) {
        self.variables.extend(variables.iter().map(|(name, value)| (name.as_str(), json_values(value))));
        for (_, operation) in self.document.operations.iter() {
            for definition in &operation.node.variable_definitions {
                let Some(default) = &definition.node.default_value else { continue };
                let default = argument_values(&default.node.clone().into_value(), &HashMap::new());
                let known = self.variables.entry(definition.node.name.node.as_str()).or_default();
                *known = default.max(*known);
            }
        }
    }

    fn operation(&mut self, operation: &'a OperationDefinition) -> Result<Extent, TooMuch> {
        let mut extent = self.directives(&operation.directives)?;
        for variable in &operation.variable_definitions {
            extent = extent.beside(self.directives(&variable.node.directives)?);
        }
        Ok(extent.beside(self.set(&operation.selection_set)?))
    }

    /// Recursion ends: the text's nesting is bounded, and a fragment is entered once.
    fn set(&mut self, set: &'a Positioned<SelectionSet>) -> Result<Extent, TooMuch> {
        let mut extent = Extent::default();
        for item in &set.node.items {
            let one = match &item.node {
                Selection::Field(field) => self.field(&field.node)?,
                Selection::InlineFragment(inline) => {
                    let within = self.set(&inline.node.selection_set)?.inside();
                    within.beside(self.directives(&inline.node.directives)?)
                }
                Selection::FragmentSpread(spread) => {
                    let within = self.fragment(&spread.node.fragment_name.node)?;
                    within.beside(self.directives(&spread.node.directives)?)
                }
            };
            extent = extent.beside(one);
        }
        Ok(extent)
    }

    fn field(&mut self, field: &'a Field) -> Result<Extent, TooMuch> {
        at_most(self.bounds.arguments, field.arguments.len(), TooMuch::Arguments)?;
        let mut extent = self.set(&field.selection_set)?.inside();
        extent.depth += 1;
        extent.aliases = extent.aliases.saturating_add(usize::from(field.alias.is_some()));
        let each = extent.about_schema.saturating_mul(usual_number(&field.name.node));
        extent.about_schema = each.saturating_add(1);
        if matches!(field.name.node.as_str(), "__schema" | "__type") {
            at_most(self.bounds.introspection, extent.about_schema, TooMuch::Introspection)?;
            extent = Extent { depth: 1, introspects: true, ..extent };
        }
        extent.values = extent.values.saturating_add(self.values(&field.arguments));
        Ok(extent.beside(self.directives(&field.directives)?))
    }

    fn directives(&self, directives: &[Positioned<Directive>]) -> Result<Extent, TooMuch> {
        at_most(self.bounds.directives, directives.len(), TooMuch::Directives)?;
        let mut values = 0_usize;
        for directive in directives {
            at_most(self.bounds.arguments, directive.node.arguments.len(), TooMuch::Arguments)?;
            values = values.saturating_add(self.values(&directive.node.arguments));
        }
        Ok(Extent { directives: directives.len(), values, ..Extent::default() })
    }

    fn values(&self, arguments: &[(Positioned<Name>, Positioned<Argument>)]) -> usize {
        let each = arguments.iter().map(|(_, value)| argument_values(&value.node, &self.variables));
        each.fold(0, usize::saturating_add)
    }

    /// A fragment that is not there is left to the validator, which names it; the spread itself counts all the same.
    fn fragment(&mut self, name: &'a Name) -> Result<Extent, TooMuch> {
        match self.fragments.get(name) {
            Some(Some(known)) => return Ok(*known),
            Some(None) => return Err(TooMuch::Cycle),
            None => {}
        }
        let Some(fragment) = self.document.fragments.get(name) else {
            return Ok(Extent::default().inside());
        };
        self.fragments.insert(name, None);
        let extent = self.set(&fragment.node.selection_set)?.inside();
        let extent = extent.beside(self.directives(&fragment.node.directives)?);
        self.fragments.insert(name, Some(extent));
        Ok(extent)
    }
}

/// How many things an introspection field answers with, in a schema of ordinary size.
fn usual_number(field: &str) -> usize {
    match field {
        "types" => 64,
        "fields" | "inputFields" | "enumValues" | "args" | "directives" => 8,
        "interfaces" | "possibleTypes" => 4,
        _ => 1,
    }
}

/// The parser bounds the recursion of the one, serde that of the other.
fn argument_values(value: &Argument, variables: &HashMap<&str, usize>) -> usize {
    let within = match value {
        Argument::Variable(name) => variables.get(name.as_str()).copied().unwrap_or_default(),
        Argument::List(items) => {
            items.iter().map(|item| argument_values(item, variables)).fold(0, usize::saturating_add)
        }
        Argument::Object(fields) => {
            fields.values().map(|item| argument_values(item, variables)).fold(0, usize::saturating_add)
        }
        Argument::String(text) => text.len() / TEXT_UNIT,
        _ => 0,
    };
    within.saturating_add(1)
}

fn json_values(value: &Value) -> usize {
    let within = match value {
        Value::Array(items) => items.iter().map(json_values).sum(),
        Value::Object(fields) => {
            fields.iter().map(|(key, item)| key.len() / TEXT_UNIT + json_values(item)).sum()
        }
        Value::String(text) => text.len() / TEXT_UNIT,
        _ => 0,
    };
    within + 1
}
