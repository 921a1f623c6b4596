//! What an operation brings, whatever carries it to the client.

use std::panic::AssertUnwindSafe;

use async_graphql::parser::types::OperationType;
use async_graphql::{Executor, Request, Response};
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};

use crate::answer;
use crate::caller::{Asker, Caller, Gate, Visit};
use crate::front::{Front, failed, refusal};
use crate::operation::Operation;

/// What an operation brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// An answer; more may follow where the operation is a subscription.
    Next(Payload),
    /// There is nothing more.
    Complete,
}

/// One answer, written once for however many clients it goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Payload {
    /// The response object as JSON.
    pub(crate) bytes: Bytes,
    /// Nothing ran: the response is `{"errors":[...]}` alone, and the operation is over.
    pub(crate) request_error: bool,
}

impl Payload {
    /// The errors of a request that did not run, as the JSON list that `graphql-transport-ws` wants of them.
    pub(crate) fn errors(&self) -> Bytes {
        let list = Self::ERRORS.len()..self.bytes.len().saturating_sub(1);
        if self.request_error && self.bytes.starts_with(Self::ERRORS) {
            self.bytes.slice(list)
        } else {
            Bytes::from_static(b"[]")
        }
    }

    const ERRORS: &[u8] = br#"{"errors":"#;
}

impl From<&Response> for Payload {
    fn from(response: &Response) -> Self {
        Self { bytes: answer::bytes(response), request_error: answer::is_request_error(response) }
    }
}

impl<E: Executor, G: Gate> Front<E, G> {
    /// Begins an operation for a caller: the stream brings its answers as they come, and ends after [`Event::Complete`].
    ///
    /// Dropping the stream ends the operation.
    pub(crate) fn start(
        &self,
        operation: Operation,
        caller: Caller,
        visit: &Visit,
    ) -> BoxStream<'static, Event> {
        if let Err(refused) = self.permit(&operation, &caller) {
            let refusal = Response::from_errors(vec![refusal(&refused)]);
            return stream::iter([Event::Next(Payload::from(&refusal)), Event::Complete]).boxed();
        }
        let Operation { mut request, kind, .. } = operation;
        let answers = if kind == OperationType::Subscription {
            if let Some(recipe) = self.shared.recipe(&mut request, caller.class()) {
                return self.shared.join(recipe, &self.executor, &self.tasks);
            }
            answers(&self.executor, request.data(Asker::one(caller, visit.clone())))
        } else {
            let (front, request) = (self.clone(), request.data(Asker::one(caller, visit.clone())));
            stream::once(async move { Payload::from(&front.run(request).await) }).boxed()
        };
        answers.map(Event::Next).chain(stream::once(async { Event::Complete })).boxed()
    }
}

/// The answers of a subscription; who asked learns nothing of a panic but that it was ours.
pub(crate) fn answers<E: Executor>(executor: &E, request: Request) -> BoxStream<'static, Payload> {
    let responses = AssertUnwindSafe(executor.execute_stream(request, None)).catch_unwind();
    let told = |ran: Result<_, _>| {
        ran.unwrap_or_else(|_panic| failed("INTERNAL", "something went wrong at our end"))
    };
    responses.map(move |ran| Payload::from(&answer::told(told(ran)))).boxed()
}

#[cfg(test)]
mod tests {
    use async_graphql::{ServerError, value};

    use super::*;

    #[test]
    fn the_errors_of_what_did_not_run_are_a_list_of_their_own() {
        let refused = Payload::from(&Response::from_errors(vec![ServerError::new("no", None)]));
        assert!(refused.request_error);
        assert_eq!(refused.errors(), r#"[{"message":"no"}]"#);
    }

    #[test]
    fn an_answer_is_no_error() {
        let answer = Payload::from(&Response::new(value!({ "errors": [1] })));
        assert!(!answer.request_error);
        assert_eq!(answer.errors(), "[]");
    }
}
