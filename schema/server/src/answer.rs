//! Responses as bytes: the one place where they are written, whatever carries them to the client.
//!
//! Everything goes straight into one buffer. A [`Value::Binary`] holds JSON that is written already, by
//! [`crate::listener::rows`], and goes in as it is. Nothing else makes one: no scalar of ours does, variables come from
//! JSON, which has no such thing, and a document has no literal for it.

use async_graphql::{ErrorExtensionValues, Response, ServerError, Value};
use bytes::Bytes;
use serde::Serialize;

use crate::json;

/// What a response is reckoned to take beside the lists in it that are written already.
const USUAL_BYTES: usize = 512;

/// The response as the JSON that every transport sends.
pub fn bytes(response: &Response) -> Bytes {
    let mut out = Vec::with_capacity(USUAL_BYTES + written_already(&response.data));
    if is_request_error(response) {
        // Without `data`, as the specification wants it where nothing ran.
        out.extend_from_slice(b"{\"errors\":");
        json::value(&response.errors, &mut out);
    } else {
        out.extend_from_slice(b"{\"data\":");
        write(&response.data, &mut out);
        if !response.extensions.is_empty() {
            out.extend_from_slice(b",\"extensions\":");
            object(&response.extensions, &mut out);
        }
        if !response.errors.is_empty() {
            out.extend_from_slice(b",\"errors\":");
            json::value(&response.errors, &mut out);
        }
    }
    out.push(b'}');
    out.into()
}

/// How many bytes of a value are written already.
fn written_already(value: &Value) -> usize {
    match value {
        Value::Binary(json) => json.len(),
        Value::Object(fields) => fields.values().map(written_already).sum(),
        _ => 0,
    }
}

/// Appends a value. Recursion is as deep as the document, which is bounded.
fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => json::null(out),
        Value::Boolean(truth) => json::value(truth, out),
        Value::Number(number) => json::value(number, out),
        Value::String(text) => json::value(text, out),
        Value::Enum(name) => json::value(name, out),
        Value::Binary(written) => out.extend_from_slice(written),
        Value::List(items) => json::list(items, out, write),
        Value::Object(fields) => object(fields, out),
    }
}

fn object<'a, K: Serialize + 'a>(fields: impl IntoIterator<Item = (&'a K, &'a Value)>, out: &mut Vec<u8>) {
    out.push(b'{');
    json::separated(fields, out, |(name, value), out| {
        json::value(name, out);
        out.push(b':');
        write(value, out);
    });
    out.push(b'}');
}

/// How many errors are told at once; who made more mistakes has enough to begin with.
const ERRORS_TOLD: usize = 20;

/// The response with no more errors than help, and a code on each that says why nothing ran.
pub(crate) fn told(mut response: Response) -> Response {
    let untold = response.errors.len().saturating_sub(ERRORS_TOLD);
    if 0 < untold {
        response.errors.truncate(ERRORS_TOLD);
        response.errors.push(ServerError::new(format!("there are {untold} more errors"), None));
    }
    if is_request_error(&response) {
        for error in &mut response.errors {
            let extensions = error.extensions.get_or_insert_with(ErrorExtensionValues::default);
            if extensions.get("code").is_none() {
                extensions.set("code", "GRAPHQL_VALIDATION_FAILED");
            }
        }
    }
    response
}

/// Whether a request was refused before anything ran: none of its errors has a place in the data.
pub(crate) fn is_request_error(response: &Response) -> bool {
    response.data == Value::Null
        && !response.errors.is_empty()
        && response.errors.iter().all(|error| error.path.is_empty())
}

#[cfg(test)]
mod tests {
    use async_graphql::{Name, PathSegment, value};
    use proptest::prelude::*;

    use super::*;

    /// Any value but those that are written already.
    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Boolean),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<f32>().prop_map(|number| Value::from(f64::from(number))),
            any::<String>().prop_map(Value::String),
            "[A-Z]{1,8}".prop_map(|name| Value::Enum(Name::new(name))),
        ];
        leaf.prop_recursive(5, 64, 8, |inside| {
            let fields = proptest::collection::vec(("[a-z_A-Z0-9]{0,8}", inside.clone()), 0..8);
            prop_oneof![
                proptest::collection::vec(inside, 0..8).prop_map(Value::List),
                fields.prop_map(|fields| {
                    Value::Object(fields.into_iter().map(|(name, value)| (Name::new(name), value)).collect())
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_response_is_written_as_serde_would(
            data in values(),
            extension in proptest::option::of(values()),
            message in proptest::option::of(any::<String>()),
        ) {
            let mut response = Response::new(data);
            if let Some(extension) = extension {
                response.extensions.insert("of \"ours\"".to_owned(), extension);
            }
            if let Some(message) = message {
                let mut error = ServerError::new(message, None);
                error.path = vec![PathSegment::Field("a".to_owned()), PathSegment::Index(3)];
                response.errors.push(error);
            }
            prop_assert_eq!(bytes(&response), serde_json::to_vec(&response).unwrap());
        }
    }

    #[test]
    fn what_is_written_already_goes_in_as_it_is() {
        let mut response = Response::new(value!({ "a": null, "b": [1] }));
        let Value::Object(fields) = &mut response.data else { unreachable!() };
        fields.insert(Name::new("a"), Value::Binary(Bytes::from_static(br#"[{"title":"x"}]"#)));
        assert_eq!(bytes(&response), r#"{"data":{"a":[{"title":"x"}],"b":[1]}}"#);
    }

    #[test]
    fn fields_are_written_in_the_order_in_which_they_were_asked_for() {
        let response = Response::new(value!({ "b": 1, "a": [true, null] }));
        assert_eq!(bytes(&response), r#"{"data":{"b":1,"a":[true,null]}}"#);
    }

    #[test]
    fn what_kept_a_request_from_running_has_a_code_and_its_own_where_it_brought_one() {
        let mut own = ServerError::new("not now", None);
        own.extensions.get_or_insert_default().set("code", "RATE_LIMITED");
        let response = told(Response::from_errors(vec![ServerError::new("no", None), own]));
        let code = |at: usize| response.errors[at].extensions.as_ref().and_then(|found| found.get("code"));
        assert_eq!(code(0), Some(&Value::from("GRAPHQL_VALIDATION_FAILED")));
        assert_eq!(code(1), Some(&Value::from("RATE_LIMITED")));
    }

    #[test]
    fn where_nothing_ran_there_is_no_data() {
        let response = Response::from_errors(vec![ServerError::new("no", None)]);
        assert_eq!(bytes(&response), r#"{"errors":[{"message":"no"}]}"#);
    }

    #[test]
    fn where_a_field_failed_the_data_says_null() {
        let mut error = ServerError::new("no", None);
        error.path = vec![PathSegment::Field("a".to_owned())];
        let response = Response::from_errors(vec![error]);
        assert_eq!(bytes(&response), r#"{"data":null,"errors":[{"message":"no","path":["a"]}]}"#);
    }
}
