//! Applying the migrations.

use roomtone_cloud::migrations::{self, Applied, Drift};
use rstest::rstest;

use crate::postgres::{Postgres, Version};

#[rstest]
#[tokio::test]
async fn applying_twice_does_nothing(#[values(Version::V16, Version::V18)] version: Version) {
    let database = Postgres::start(version).database().await;
    assert_eq!(migrations::run(&database.migrator_url).await.unwrap(), Applied::Here(0));
    let mut work = database.open().as_service().await.unwrap();
    assert_eq!(migrations::drift(&mut work).await.unwrap(), Drift::default());
}
