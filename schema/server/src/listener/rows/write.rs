//! JSON, appended to a buffer exactly as the engine's own values are serialised.

use async_graphql::EnumType;
use roomtone_schema::id::Id;
use serde::Serialize;

use crate::listener::scalar::DateTime;

/// Whatever serde makes of it. For values that cannot fail: text, numbers, truth values.
pub(crate) fn json(value: &(impl Serialize + ?Sized), out: &mut Vec<u8>) {
    // Writing to memory cannot fail, and neither can serialising what this is called with.
    let _infallible = serde_json::to_writer(out, value);
}

pub(crate) fn text(text: &str, out: &mut Vec<u8>) {
    json(text, out);
}

/// The engine knows one kind of Float; a number that is none is null.
pub(crate) fn float(value: f64, out: &mut Vec<u8>) {
    json(&value, out);
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

pub(crate) fn null(out: &mut Vec<u8>) {
    out.extend_from_slice(b"null");
}

/// Null, or what `some` writes.
pub(crate) fn optional<T>(value: Option<T>, out: &mut Vec<u8>, some: impl FnOnce(T, &mut Vec<u8>)) {
    match value {
        Some(value) => some(value, out),
        None => null(out),
    }
}

pub(crate) fn list<T>(items: impl IntoIterator<Item = T>, out: &mut Vec<u8>, one: impl Fn(T, &mut Vec<u8>)) {
    out.push(b'[');
    for (position, item) in items.into_iter().enumerate() {
        if position > 0 {
            out.push(b',');
        }
        one(item, out);
    }
    out.push(b']');
}

/// Text that holds nothing to escape.
fn quoted(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}
