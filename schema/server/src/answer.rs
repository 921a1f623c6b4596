//! Responses as bytes: the one place where they are written, whatever carries them to the client.

use async_graphql::{Response, ServerError, Value};
use bytes::Bytes;
use serde::Serialize;

/// What is said of an answer that has no form as JSON. None is known.
const UNWRITABLE: &[u8] =
    br#"{"errors":[{"message":"something went wrong at our end","extensions":{"code":"INTERNAL"}}]}"#;

/// A response that says only why nothing ran: without `data`, as the specification wants it.
#[derive(Serialize)]
struct Refusal<'a> {
    errors: &'a [ServerError],
}

/// The response as the JSON that every transport sends.
pub(crate) fn bytes(response: &Response) -> Bytes {
    let written = if is_request_error(response) {
        serde_json::to_vec(&Refusal { errors: &response.errors })
    } else {
        serde_json::to_vec(response)
    };
    written.map_or_else(|_unwritable| Bytes::from_static(UNWRITABLE), Bytes::from)
}

/// Whether a request was refused before anything ran: none of its errors has a place in the data.
pub(crate) fn is_request_error(response: &Response) -> bool {
    response.data == Value::Null
        && !response.errors.is_empty()
        && response.errors.iter().all(|error| error.path.is_empty())
}

#[cfg(test)]
mod tests {
    use async_graphql::{PathSegment, value};

    use super::*;

    #[test]
    fn fields_are_written_in_the_order_in_which_they_were_asked_for() {
        let response = Response::new(value!({ "b": 1, "a": [true, null] }));
        assert_eq!(bytes(&response), r#"{"data":{"b":1,"a":[true,null]}}"#);
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
