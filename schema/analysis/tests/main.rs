//! What the analysis says about signals that we made ourselves, and about files that mean it harm.

mod accuracy;
mod damaged;
mod encoded;
mod signals;
mod worker;
