//! Lists that are answered at speed: their rows' JSON is written straight from the rows.
//!
//! The engine resolves a list field by field: a future, a path, a map entry and a value for each of a hundred rows'
//! fields. Where everything that is asked of a row is plain (see [`Row`]), a list instead compiles what is asked once
//! ([`Plan`]) and writes each row with it. Parsing, validation, guards and complexity are the engine's as ever, and so
//! is every selection that is not plain: a row that does not know a field, or an argument, a directive or a type
//! condition that it does not know, leaves its whole list to the engine. Both ways answer with the same bytes; a
//! property test in the hub compares them.
//!
//! The written rows travel to [`crate::answer`] as a [`Value::Binary`].

use std::borrow::Cow;
use std::cell::OnceCell;

use async_graphql::parser::types::Field;
use async_graphql::registry::Registry;
use async_graphql::resolver_utils::resolve_list;
use async_graphql::{ContextSelectionSet, OutputType, Positioned, ServerResult, Value};
use roomtone_schema::view::Viewer;

use super::{Room, caller, room};
use crate::caller::Caller;

mod plan;
pub(crate) mod write;

pub use plan::{Asked, Plan};

/// A type whose rows can be written without the engine. Its fields cannot fail and take no arguments.
pub trait Row: OutputType {
    /// The types of GraphQL that a row is: its own name first, then its interfaces.
    const TYPES: &'static [&'static str];
    /// What can be asked of a row, with what is asked inside.
    type Field: Send + Sync;

    /// The field that is meant; `None` leaves the list to the engine.
    fn field(asked: &Asked<'_>) -> Option<Self::Field>;

    /// Appends a field's JSON.
    fn write(&self, field: &Self::Field, view: &View<'_>, out: &mut Vec<u8>);
}

/// What rows may look at besides themselves.
pub struct View<'a> {
    pub(crate) room: &'a dyn Room,
    ctx: &'a ContextSelectionSet<'a>,
    viewer: OnceCell<Option<Viewer>>,
}

impl std::fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("View").field("viewer", &self.viewer).finish_non_exhaustive()
    }
}

impl<'a> View<'a> {
    fn of(ctx: &'a ContextSelectionSet<'a>) -> Self {
        Self { room: room(ctx), ctx, viewer: OnceCell::new() }
    }

    /// The listener who asks, looked up once; only fields marked `@perViewer` may want to know.
    pub(crate) fn viewer(&self) -> Option<&Viewer> {
        let find = || match caller(self.ctx) {
            Caller::Listener(viewer) => Some(viewer),
            _ => None,
        };
        self.viewer.get_or_init(find).as_ref()
    }
}

/// In the data of a request: leave every list to the engine. For tests that compare both ways.
#[derive(Debug, Clone, Copy)]
pub struct EngineOnly;

/// A list of rows; in the schema nothing but a list.
#[derive(Debug, Clone)]
pub struct Rows<R>(pub Vec<R>);

impl<R> FromIterator<R> for Rows<R> {
    fn from_iter<I: IntoIterator<Item = R>>(rows: I) -> Self {
        Self(rows.into_iter().collect())
    }
}

impl<R: Row> OutputType for Rows<R> {
    fn type_name() -> Cow<'static, str> {
        <Vec<R> as OutputType>::type_name()
    }

    fn qualified_type_name() -> String {
        <Vec<R> as OutputType>::qualified_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        <Vec<R> as OutputType>::create_type_info(registry)
    }

    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
        match written(&self.0, ctx) {
            Some(rows) => Ok(Value::Binary(rows.into())),
            None => resolve_list(ctx, field, &self.0, Some(self.0.len())).await,
        }
    }
}

/// All rows as a JSON array, where what is asked of them is plain.
fn written<R: Row>(rows: &[R], ctx: &ContextSelectionSet<'_>) -> Option<Vec<u8>> {
    if rows.is_empty() || ctx.data_opt::<EngineOnly>().is_some() {
        return None;
    }
    let plan = plan::compile::<R>(ctx)?;
    let view = View::of(ctx);
    let mut out = Vec::with_capacity(plan.guess().saturating_mul(rows.len()));
    plan.write_all(rows, &view, &mut out);
    Some(out)
}
