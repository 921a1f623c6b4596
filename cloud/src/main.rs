//! `roomtone-cloud`: the program. Everything it does is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Uploads are looked into in children of this program: such a child does that and nothing else.
    if let Some(code) = roomtone_analysis::run_child_if_asked() {
        return code;
    }
    // One TLS for everything here; it may be somebody's already, which does as well.
    let _already = rustls::crypto::ring::default_provider().install_default();
    roomtone_cloud::cli::run()
}
