//! How the hub says no: every use case has its own error, and every error knows whether its reader can act on it.

pub use roomtone_schema::refusal::RefusalCode;

/// What the errors of all use cases have in common.
pub trait Refusal: std::error::Error {
    /// What kind of no; `None` where the fault is ours, and the caller learns no more than that.
    fn code(&self) -> Option<RefusalCode>;

    /// The input field that is to blame, as a path from the mutation's arguments.
    fn field(&self) -> Option<&'static [&'static str]> {
        None
    }
}
