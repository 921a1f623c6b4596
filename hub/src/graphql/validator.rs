//! The guard, the parser and the validator of the hub's API, with no hub behind them: what fuzzers look for holes in.

use std::sync::Arc;

use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextExecute};
use async_graphql::{Response, Schema};
use futures_util::FutureExt as _;
use roomtone_server::documents::Documents;
use roomtone_server::front::FrontSettings;
use roomtone_server::operation::{Operation, Params};

use super::{HubSchema, Mutation, Query, RECURSION, Subscription};

/// Takes documents as far as a request goes before anything of it runs.
pub struct Validator {
    schema: HubSchema,
    settings: FrontSettings,
}

impl std::fmt::Debug for Validator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Validator").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Default for Validator {
    fn default() -> Self {
        let settings = FrontSettings::default();
        let schema = Schema::build(Query::default(), Mutation::default(), Subscription::default())
            .limit_complexity(settings.bounds.complexity)
            .limit_recursive_depth(RECURSION)
            .limit_directives(settings.bounds.directives)
            .disable_suggestions()
            .extension(Halt)
            .finish();
        Self { schema, settings }
    }
}

impl Validator {
    /// Guards, parses and validates; says whether the guard let it through.
    pub fn look_at(&self, document: &str) -> bool {
        let params = Params { query: document.to_owned(), ..Params::default() };
        let Ok(operation) = Operation::prepare(params, &self.settings.bounds, &Documents::default()) else {
            return false;
        };
        // Nothing in it waits: it is done when it is asked for the first time.
        let _errors = self.schema.execute(operation.request).now_or_never();
        true
    }
}

/// Ends a request where it would begin to run.
struct Halt;

impl ExtensionFactory for Halt {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Self)
    }
}

#[async_graphql::async_trait::async_trait]
impl Extension for Halt {
    async fn execute(
        &self,
        _ctx: &ExtensionContext<'_>,
        _operation_name: Option<&str>,
        _next: NextExecute<'_>,
    ) -> Response {
        Response::default()
    }
}
