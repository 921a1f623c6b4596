//! What a query costs a server, in CPU: Roomtone's hub beside async-graphql as it comes and three servers of node's.
//!
//! Every server is a process of its own, serves the same 5,000 songs from memory, and gets the same requests from the
//! same client over 32 kept connections, one at a time each. No two requests in a row are the same: 64 documents with
//! other fields and aliases take turns, and every list begins at a cursor drawn from the whole catalogue. What is
//! compared is CPU time (user and system) per answered request, the median of the rounds; the servers take turns, so
//! that a busy machine is busy for all of them.

#![expect(clippy::unwrap_used, reason = "a benchmark ends where it fails")]
#![expect(clippy::print_stdout, reason = "its table is what a benchmark is for")]

use std::collections::BTreeMap;
use std::path::Path;

use tempfile::TempDir;

mod catalogue;
mod client;
mod ours;
mod server;
mod stock;
mod work;

use server::{Kind, Server};
use work::Work;

/// How often the servers take turns.
const ROUNDS: usize = 3;

/// CPU microseconds and requests per second, one of each round.
type Figures = BTreeMap<(Work, Kind), Vec<(f64, f64)>>;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    match arguments.get(1).map(String::as_str) {
        Some("serve-ours") => runtime.block_on(ours::serve(Path::new(&arguments[2]))),
        Some("serve-stock") => runtime.block_on(stock::serve(Path::new(&arguments[2]))),
        _ => runtime.block_on(compare()),
    }
}

async fn compare() {
    let folder = TempDir::new().unwrap();
    let ours = Server::start(Kind::Ours, folder.path()).await;
    let file = folder.path().join("songs.json");
    catalogue::write_down(&ours, &file).await;
    let mut servers = vec![ours, Server::start(Kind::Stock, &file).await];
    match server::node() {
        Ok(()) => {
            for kind in [Kind::Mercurius, Kind::Apollo, Kind::Yoga] {
                servers.push(Server::start(kind, &file).await);
            }
        }
        Err(why) => println!("the servers of node's are left out: {why}"),
    }
    let cursors = work::cursors(&servers).await;
    work::all_say_the_same(&servers, &cursors).await;
    let mut figures = Figures::new();
    for round in 0..ROUNDS {
        for work in [Work::Simple, Work::List] {
            for (server, cursors) in servers.iter().zip(&cursors) {
                let figure = client::measure(server, work, cursors, round as u64).await;
                figures.entry((work, server.kind)).or_default().push(figure);
            }
        }
    }
    report(figures);
}

fn report(mut figures: Figures) {
    let mut middle = |work, kind| {
        let rounds = figures.get_mut(&(work, kind))?;
        rounds.sort_by(|a, b| a.0.total_cmp(&b.0));
        Some(rounds[rounds.len() / 2])
    };
    for work in [Work::Simple, Work::List] {
        let Some((ours, rps)) = middle(work, Kind::Ours) else { continue };
        println!("{}: ours {ours:.1} us of CPU a request, {rps:.0} requests/s", work.name());
        for kind in [Kind::Stock, Kind::Mercurius, Kind::Apollo, Kind::Yoga] {
            let Some((theirs, rps)) = middle(work, kind) else { continue };
            println!("{}: {} {theirs:.1} us of CPU a request, {rps:.0} requests/s", work.name(), kind.name());
            let (ratio, goal) = (theirs / ours, work.goal(kind));
            let verdict = if ratio >= goal { "ok" } else { "MISSED" };
            let what = format!("{}: CPU of {} / ours", work.name(), kind.name());
            println!(
                "BENCH | query | {what} | {ours:.1} us | {theirs:.1} us | {ratio:.2} | >= {goal} | {verdict}"
            );
        }
    }
}
