//! The admin API.

use async_graphql::{EmptyMutation, EmptySubscription, Object, Schema};
use roomtone_server::front::FrontSettings;

use crate::cloud::Cloud;

/// The schema.
pub type CloudSchema = Schema<Query, EmptyMutation, EmptySubscription>;

/// Queries.
#[derive(Debug)]
pub struct Query;

#[Object]
impl Query {
    /// The version of the service.
    async fn version(&self) -> &str {
        env!("CARGO_PKG_VERSION")
    }
}

/// The schema over a cloud.
pub fn schema(cloud: Cloud, _front: &FrontSettings) -> CloudSchema {
    Schema::build(Query, EmptyMutation, EmptySubscription).data(cloud).finish()
}
