//! One GraphQL request, from the client's JSON to something that may be run.

use std::collections::HashMap;

use async_graphql::parser;
use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, FragmentDefinition, OperationDefinition, OperationType,
    Selection, SelectionSet, VariableDefinition,
};
use async_graphql::{Name, Pos, Positioned, Request, Variables};
use serde_json::{Map, Value};

use crate::documents::Documents;
use crate::guard::{Bounds, Survey, TooMuch};

/// Why a message is no GraphQL request. These are the caller's mistakes, told before anything is parsed or run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Not JSON at all.
    #[error("the request is not valid JSON: look at line {line}, column {column}")]
    NotJson {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// A list of requests.
    #[error("send one operation per request: lists of operations are not accepted")]
    Batch,
    /// JSON, but no object.
    #[error("a GraphQL request is a JSON object")]
    NotAnObject,
    /// `query` is missing or no text.
    #[error("\"query\" is missing or no text: it must hold the GraphQL document")]
    Query,
    /// `operationName` is neither text nor null.
    #[error("\"operationName\" must be text where it is given")]
    OperationName,
    /// `variables` is neither an object nor null.
    #[error("\"variables\" must be an object where it is given")]
    Variables,
    /// `extensions` is neither an object nor null.
    #[error("\"extensions\" must be an object where it is given")]
    Extensions,
}

/// Why a well-formed request is not run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Beyond a bound.
    #[error(transparent)]
    TooMuch(#[from] TooMuch),
    /// The document is not GraphQL.
    #[error("{message}")]
    Syntax {
        /// What was expected.
        message: String,
        /// Where, the most telling place first.
        places: Vec<Pos>,
    },
    /// Which of the operations is meant?
    #[error("name the operation to run: the document holds several, or none of that name")]
    WhichOperation,
    /// The schema is in the repository; a hub in a room full of strangers explains itself to who runs it.
    #[error("this hub explains its schema to its manager only; it is published as schema/hub.graphql")]
    Introspection,
    /// The protocol has one event stream per operation.
    #[error("a subscription asks for exactly one field")]
    OneRootField,
    /// A subscription that may turn out to ask for nothing.
    #[error("@skip and @include cannot stand at the root of a subscription")]
    ConditionalRoot,
    /// A variable that must have a value has none. The engine would find out only in the middle of running.
    #[error("the variable ${0} needs a value")]
    Variable(String),
}

impl Malformed {
    fn not_json(error: &serde_json::Error) -> Self {
        Self::NotJson { line: error.line(), column: error.column() }
    }
}

impl Refused {
    /// The parser draws its error below the line that it found it in; clients have the place for that.
    pub(crate) fn syntax(error: &parser::Error) -> Self {
        let drawn = error.to_string();
        let expected = drawn.lines().find_map(|line| line.trim_start().strip_prefix("= "));
        let message =
            expected.map_or_else(|| drawn.clone(), |expected| format!("this is no GraphQL: {expected}"));
        Self::Syntax { message, places: error.positions().collect() }
    }

    /// Where in the document, if there is a place for it.
    pub fn places(&self) -> &[Pos] {
        match self {
            Self::Syntax { places, .. } => places,
            _ => &[],
        }
    }

    /// For programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooMuch(TooMuch::Unfinished) | Self::Syntax { .. } => "GRAPHQL_PARSE_FAILED",
            Self::TooMuch(TooMuch::Cycle | TooMuch::Conflict(_))
            | Self::WhichOperation
            | Self::OneRootField
            | Self::ConditionalRoot
            | Self::Variable(_) => "GRAPHQL_VALIDATION_FAILED",
            Self::TooMuch(_) => "TOO_MUCH",
            Self::Introspection => "FORBIDDEN",
        }
    }
}

/// What a client asks for, its types checked and nothing more.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Params {
    /// The document.
    pub query: String,
    /// Which of its operations.
    pub operation_name: Option<String>,
    /// By name.
    pub variables: Map<String, Value>,
}

impl Params {
    /// Reads the body of a POST.
    ///
    /// # Errors
    /// [`Malformed`], for the first thing that is wrong.
    pub fn from_bytes(body: &[u8]) -> Result<Self, Malformed> {
        Self::from_json(serde_json::from_slice(body).map_err(|error| Malformed::not_json(&error))?)
    }

    /// Reads a request that has been JSON already, as in a WebSocket message.
    ///
    /// # Errors
    /// [`Malformed`], for the first thing that is wrong.
    pub fn from_json(value: Value) -> Result<Self, Malformed> {
        let mut object = match value {
            Value::Object(object) => object,
            Value::Array(_) => return Err(Malformed::Batch),
            _ => return Err(Malformed::NotAnObject),
        };
        let Some(Value::String(query)) = object.remove("query") else { return Err(Malformed::Query) };
        let operation_name = match object.remove("operationName") {
            None | Some(Value::Null) => None,
            Some(Value::String(name)) => Some(name),
            Some(_) => return Err(Malformed::OperationName),
        };
        let variables = optional_object(&mut object, "variables").ok_or(Malformed::Variables)?;
        optional_object(&mut object, "extensions").ok_or(Malformed::Extensions)?;
        Ok(Self { query, operation_name, variables })
    }
}

fn optional_object(from: &mut Map<String, Value>, key: &str) -> Option<Map<String, Value>> {
    match from.remove(key) {
        None | Some(Value::Null) => Some(Map::new()),
        Some(Value::Object(object)) => Some(object),
        Some(_) => None,
    }
}

/// A request that was guarded and parsed.
#[derive(Debug)]
pub struct Operation {
    /// For the executor; holds the parsed document.
    pub request: Request,
    /// Query, mutation or subscription.
    pub kind: OperationType,
    /// What the guard found in it.
    pub survey: Survey,
}

impl Operation {
    /// Guards and parses a request.
    ///
    /// # Errors
    /// [`Refused`], before anything was validated or run.
    pub fn prepare(params: Params, bounds: &Bounds, documents: &Documents) -> Result<Self, Refused> {
        let mut document = documents.parse(&params.query, bounds)?;
        let survey = bounds.check_document(&document, &params.variables)?;
        let name = params.operation_name.as_deref();
        let operation = operation_of(&document, name).ok_or(Refused::WhichOperation)?;
        check_variables(operation, &params.variables)?;
        let kind = operation.ty;
        if kind == OperationType::Subscription {
            settle_root(&mut document, params.operation_name.as_deref())?;
        }
        let mut request =
            Request::new(params.query).variables(Variables::from_json(Value::Object(params.variables)));
        request.operation_name = params.operation_name;
        request.set_parsed_query(document);
        Ok(Self { request, kind, survey })
    }
}

/// The operation that a request means: the one it names, or the only one.
pub(crate) fn operation_of<'a>(
    document: &'a ExecutableDocument,
    name: Option<&str>,
) -> Option<&'a OperationDefinition> {
    let mut operations = document.operations.iter();
    match name {
        Some(name) => operations.find(|(found, _)| found.is_some_and(|found| found == name)),
        None if operations.len() == 1 => operations.next(),
        None => None,
    }
    .map(|(_, operation)| &operation.node)
}

fn check_variables(operation: &OperationDefinition, given: &Map<String, Value>) -> Result<(), Refused> {
    let lacks = |definition: &VariableDefinition| match given.get(definition.name.node.as_str()) {
        Some(value) => value.is_null(),
        None => definition.default_value().is_none(),
    };
    let mut needed = operation.variable_definitions.iter().map(|definition| &definition.node);
    match needed.find(|definition| !definition.var_type.node.nullable && lacks(definition)) {
        Some(definition) => Err(Refused::Variable(definition.name.node.to_string())),
        None => Ok(()),
    }
}

/// Puts the fragments at a subscription's root in their place and insists on one field.
///
/// The engine looks only at plain fields there: behind a fragment it would end the stream without a word, and of
/// several fields it would run them all.
fn settle_root(document: &mut ExecutableDocument, name: Option<&str>) -> Result<(), Refused> {
    let mut root = Root::default();
    let operation = match &mut document.operations {
        DocumentOperations::Single(operation) => operation,
        DocumentOperations::Multiple(operations) => match name {
            Some(name) => operations.get_mut(name),
            None => operations.values_mut().next(),
        }
        .ok_or(Refused::WhichOperation)?,
    };
    root.gather(&operation.node.selection_set.node, &document.fragments);
    operation.node.selection_set.node.items = vec![one_field(root.fields)?];
    if root.is_conditional {
        return Err(Refused::ConditionalRoot);
    }
    forget_unused(document, root.inlined);
    Ok(())
}

/// Fields that mean the same are one field with all their selections.
fn one_field(fields: Vec<Positioned<Selection>>) -> Result<Positioned<Selection>, Refused> {
    let mut fields = fields.into_iter();
    let mut one = fields.next().ok_or(Refused::OneRootField)?;
    for mut other in fields {
        let (Selection::Field(first), Selection::Field(second)) = (&mut one.node, &mut other.node) else {
            return Err(Refused::OneRootField);
        };
        let (first, second) = (&mut first.node, &mut second.node);
        if (&first.alias, &first.name, &first.arguments) != (&second.alias, &second.name, &second.arguments) {
            return Err(Refused::OneRootField);
        }
        first.selection_set.node.items.append(&mut second.selection_set.node.items);
    }
    Ok(one)
}

type Fragments = HashMap<Name, Positioned<FragmentDefinition>>;

/// What stands at the root of an operation once fragments are in their place.
#[derive(Default)]
struct Root {
    fields: Vec<Positioned<Selection>>,
    inlined: Vec<Name>,
    /// Whether a directive decides what stands there.
    is_conditional: bool,
}

impl Root {
    /// The guard has seen this document: no cycles, bounded size.
    fn gather(&mut self, set: &SelectionSet, fragments: &Fragments) {
        for item in &set.items {
            self.is_conditional |= is_conditional(&item.node);
            match &item.node {
                Selection::Field(_) => self.fields.push(item.clone()),
                Selection::InlineFragment(inline) => self.gather(&inline.node.selection_set.node, fragments),
                Selection::FragmentSpread(spread) => {
                    if let Some((name, fragment)) = fragments.get_key_value(&spread.node.fragment_name.node) {
                        self.inlined.push(name.clone());
                        self.gather(&fragment.node.selection_set.node, fragments);
                    }
                }
            }
        }
    }
}

fn is_conditional(item: &Selection) -> bool {
    let directives = match item {
        Selection::Field(field) => &field.node.directives,
        Selection::InlineFragment(inline) => &inline.node.directives,
        Selection::FragmentSpread(spread) => &spread.node.directives,
    };
    directives.iter().any(|directive| matches!(directive.node.name.node.as_str(), "skip" | "include"))
}

/// Takes out the fragments that were put in their place and that nothing else spreads: the validator would complain
/// of them. An outer one comes before those it spreads.
fn forget_unused(document: &mut ExecutableDocument, inlined: Vec<Name>) {
    for name in inlined {
        let operations = document.operations.iter().map(|(_, operation)| &operation.node.selection_set.node);
        let others = document.fragments.iter().filter(|(other, _)| **other != name);
        let mut sets = operations.chain(others.map(|(_, fragment)| &fragment.node.selection_set.node));
        if !sets.any(|set| spreads(set, &name)) {
            document.fragments.remove(&name);
        }
    }
}

fn spreads(set: &SelectionSet, name: &Name) -> bool {
    set.items.iter().any(|item| match &item.node {
        Selection::Field(field) => spreads(&field.node.selection_set.node, name),
        Selection::InlineFragment(inline) => spreads(&inline.node.selection_set.node, name),
        Selection::FragmentSpread(spread) => spread.node.fragment_name.node == *name,
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::not_json("{\n  \"query\": x", Malformed::NotJson { line: 2, column: 12 })]
    #[case::a_batch("[]", Malformed::Batch)]
    #[case::a_number("7", Malformed::NotAnObject)]
    #[case::no_query("{}", Malformed::Query)]
    #[case::query_is_a_number(r#"{"query":7}"#, Malformed::Query)]
    #[case::name_is_a_list(r#"{"query":"{a}","operationName":[]}"#, Malformed::OperationName)]
    #[case::variables_are_text(r#"{"query":"{a}","variables":"x"}"#, Malformed::Variables)]
    #[case::extensions_are_text(r#"{"query":"{a}","extensions":"x"}"#, Malformed::Extensions)]
    fn a_malformed_request_is_told_what_is_wrong(#[case] body: &str, #[case] expected: Malformed) {
        assert_eq!(Params::from_bytes(body.as_bytes()), Err(expected));
    }

    fn prepare(query: &str) -> Result<Operation, Refused> {
        let params = Params { query: query.to_owned(), ..Params::default() };
        Operation::prepare(params, &Bounds::default(), &Documents::default())
    }

    #[test]
    fn what_is_no_graphql_is_told_in_one_line_and_with_its_place() {
        let refused = prepare("{ venue {\n  name").unwrap_err();
        assert!(refused.to_string().starts_with("this is no GraphQL: expected "), "{refused}");
        assert!(!refused.to_string().contains('\n'));
        assert_eq!(refused.places(), [Pos { line: 2, column: 7 }]);
    }

    #[test]
    fn a_subscription_behind_fragments_keeps_its_field() {
        let operation =
            prepare("subscription { ...F } fragment F on Subscription { ... { vibe { consensus } } }");
        assert_eq!(operation.unwrap().kind, OperationType::Subscription);
    }

    #[test]
    fn a_subscription_of_two_fields_is_refused() {
        let refused =
            prepare("subscription { vibe { consensus } ...F } fragment F on Subscription { players { id } }");
        assert_eq!(refused.unwrap_err(), Refused::OneRootField);
    }

    #[rstest]
    #[case::given("query ($a: ID!) { a }", r#"{"a":"x"}"#, true)]
    #[case::not_given("query ($a: ID!) { a }", "{}", false)]
    #[case::given_as_null("query ($a: ID!) { a }", r#"{"a":null}"#, false)]
    #[case::with_a_default("query ($a: ID! = \"x\") { a }", "{}", true)]
    #[case::null_for_a_default("query ($a: ID! = \"x\") { a }", r#"{"a":null}"#, false)]
    #[case::not_needed("query ($a: ID) { a }", "{}", true)]
    fn a_variable_that_needs_a_value_has_one(#[case] query: &str, #[case] given: &str, #[case] runs: bool) {
        let variables = serde_json::from_str(given).unwrap();
        let params = Params { query: query.to_owned(), variables, ..Params::default() };
        let refused = Operation::prepare(params, &Bounds::default(), &Documents::default()).err();
        assert_eq!(refused, (!runs).then(|| Refused::Variable("a".to_owned())));
    }

    #[test]
    fn two_operations_without_a_name_are_refused() {
        assert_eq!(prepare("query A { a } query B { b }").unwrap_err(), Refused::WhichOperation);
    }
}
