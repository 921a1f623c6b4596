//! JSON, appended to a buffer exactly as the engine's own values are serialised.

use async_graphql::EnumType;
use roomtone_schema::id::Id;

pub(crate) use crate::json::{list, null, value};
use crate::listener::scalar::DateTime;

pub(crate) fn text(text: &str, out: &mut Vec<u8>) {
    value(text, out);
}

/// The engine knows one kind of Float; a number that is none is null.
pub(crate) fn float(number: f64, out: &mut Vec<u8>) {
    value(&number, out);
}

pub(crate) fn id(id: impl Id, out: &mut Vec<u8>) {
    quoted(&id.to_global(), out);
}

pub(crate) fn time(at: DateTime, out: &mut Vec<u8>) {
    quoted(&at.to_text(), out);
}

/// The name of an enum's value.
pub(crate) fn name<E: EnumType>(value: impl Into<E>, out: &mut Vec<u8>) {
    let value = value.into();
    match E::items().iter().find(|item| item.value == value) {
        Some(item) => quoted(item.name, out),
        None => null(out),
    }
}

/// Null, or what `some` writes.
pub(crate) fn optional<T>(value: Option<T>, out: &mut Vec<u8>, some: impl FnOnce(T, &mut Vec<u8>)) {
    match value {
        Some(value) => some(value, out),
        None => null(out),
    }
}

/// Text that holds nothing to escape.
fn quoted(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}
