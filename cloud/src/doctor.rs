//! Whether this can be a cloud.

use crate::config::Config;
use crate::database::Database;
use crate::trouble::Trouble;

/// Refuses to serve where it would be wrong to.
///
/// # Errors
/// What is wrong, with its evidence.
pub async fn admit(_config: &Config, _database: &Database) -> Result<(), Trouble> {
    Ok(())
}
