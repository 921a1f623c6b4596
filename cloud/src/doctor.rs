//! Whether this can be a cloud: causes by name, each with what was seen and what to do.
//!
//! `doctor` looks at everything; `serve` looks at the database before it lets anybody in, because what is wrong there
//! would show one tenant to another or lose work. What is absent: repairs.

use std::fmt;
use std::time::Duration;

use roomtone_schema::{Clock, SystemClock};
use serde::Serialize;
use tokio::time::timeout;

use crate::config::Config;
use crate::database::Database;
use crate::service::open_database;
use crate::trouble::{NOT_STARTED, Trouble, sentence};

mod database;
mod outside;
mod pooler;

/// For how long one part of the examination may take.
const EXAMINED: Duration = Duration::from_secs(30);

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// As it should be.
    Well,
    /// It works; somebody should know.
    Warning,
    /// It does not work, or not safely. `serve` refuses where the database is the matter.
    Serious,
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The cause, for programs: such as `transaction_pooler`.
    pub code: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// The cause, for people.
    pub what: String,
    /// What it was concluded from.
    pub evidence: Vec<String>,
    /// The next step.
    pub todo: String,
}

impl Finding {
    fn well(code: &'static str, what: impl Into<String>) -> Self {
        let (evidence, todo) = (Vec::new(), String::new());
        Self { code, severity: Severity::Well, what: what.into(), evidence, todo }
    }

    fn warning(code: &'static str, what: impl Into<String>, todo: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, todo: todo.into(), ..Self::well(code, what) }
    }

    fn serious(code: &'static str, what: impl Into<String>, todo: impl Into<String>) -> Self {
        Self { severity: Severity::Serious, todo: todo.into(), ..Self::well(code, what) }
    }

    fn seen(mut self, evidence: impl fmt::Display) -> Self {
        self.evidence.push(evidence.to_string());
        self
    }

    /// Whether it keeps a cloud from serving.
    pub fn is_serious(&self) -> bool {
        self.severity == Severity::Serious
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.severity {
            Severity::Well => "well",
            Severity::Warning => "warning",
            Severity::Serious => "problem",
        };
        write!(f, "{mark}: {} [{}]", self.what, self.code)?;
        for seen in &self.evidence {
            write!(f, "\n    seen: {seen}")?;
        }
        if !self.todo.is_empty() {
            write!(f, "\n    do:   {}", self.todo)?;
        }
        Ok(())
    }
}

/// Looks at everything and says what was found, the worst first.
///
/// # Errors
/// Where there is nothing to look at: a setting without which there is no cloud.
pub async fn examine(config: &Config) -> Result<Vec<Finding>, Trouble> {
    config.is_complete()?;
    let database = open_database(config)?;
    let clock = SystemClock::new();
    let mut findings = of_database(config, &database, &clock).await;
    findings.extend(outside::look(config).await);
    database.pool().close().await;
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    Ok(findings)
}

/// Refuses to serve where it would be wrong to.
///
/// # Errors
/// What is wrong with the database, with its evidence.
pub async fn admit(config: &Config, database: &Database, clock: &dyn Clock) -> Result<(), Trouble> {
    for finding in of_database(config, database, clock).await {
        match finding.severity {
            Severity::Well => tracing::debug!("{finding}"),
            Severity::Warning => tracing::warn!("{finding}"),
            Severity::Serious => return Err(refusal(&finding)),
        }
    }
    Ok(())
}

async fn of_database(config: &Config, database: &Database, clock: &dyn Clock) -> Vec<Finding> {
    let looked = timeout(EXAMINED, database::look(config, database, clock)).await;
    looked.unwrap_or_else(|_late| {
        let todo = "Look at the network between here and the database, and at what keeps it busy.";
        vec![Finding::serious("database_slow", "The database did not answer within 30 seconds.", todo)]
    })
}

fn refusal(finding: &Finding) -> Trouble {
    let evidence = finding.evidence.join("; ");
    let seen = if evidence.is_empty() { String::new() } else { format!(" Seen: {evidence}.") };
    let what = format!("{}{seen}", sentence(&finding.what));
    Trouble::new(what, NOT_STARTED, format!("{} `roomtone-cloud doctor` shows everything.", finding.todo))
}
