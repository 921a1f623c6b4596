//! What a change costs that is shown on a thousand, five thousand, ten thousand phones: beside async-graphql's own
//! WebSocket service, three servers in Node, and a server that knows no GraphQL at all.
//!
//! Every server is a process of its own on its own cores, and so is the client (`load.rs`), which reads frames and
//! parses nothing. All send the same values (`moment.json`): sixteen leaf fields in three objects, once a second. The
//! processor's time is the server's alone, from the kernel's books, for the seconds in which changes were shown.

#![expect(clippy::unwrap_used, reason = "a benchmark ends where it fails")]
#![expect(clippy::print_stdout, reason = "its table is what a benchmark is for")]

use std::path::Path;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

mod load;
mod process;
mod report;
mod schema;
mod servers;
mod trial;

use report::Report;
use trial::{Cores, Server};

/// Clients, and how often the servers take turns with so many; figures are the medians of the turns.
const ROOMS: [(usize, usize); 3] = [(1_000, 1), (5_000, 3), (10_000, 1)];

/// Changes shown in a turn, one a second.
const CHANGES: usize = 10;

/// Files that a process has open besides its sockets.
const OTHER_FILES: u64 = 100;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", server] => servers::serve(server),
        ["load", port, clients] => load::run(port.parse().unwrap(), clients.parse().unwrap()),
        [] => measure(&ROOMS),
        [clients, turns] => measure(&[(clients.parse().unwrap(), turns.parse().unwrap())]),
        _ => println!("usage: fanout [CLIENTS TURNS]"),
    }
}

fn measure(rooms: &[(usize, usize)]) {
    let files = raise_the_limit_of_files();
    let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("bench/peers");
    let cores = Cores::split();
    println!("{cores}");
    let mut report = Report::default();
    for (clients, turns) in rooms.iter().copied() {
        if files < clients as u64 + OTHER_FILES {
            report.skip(clients, &format!("a process may open {files} files here (ulimit -n)"));
            continue;
        }
        for turn in 0..turns {
            for server in Server::ALL {
                match server.command(&peers, &cores) {
                    Ok(command) => report.add(clients, server, trial::run(command, &cores, clients)),
                    Err(why) if turn == 0 => report.miss(clients, server, &why),
                    Err(_told) => {}
                }
            }
        }
        report.room(clients);
    }
    report.verdicts();
}

/// How many files a process may open, as many as the system lets us.
fn raise_the_limit_of_files() -> u64 {
    let hard = getrlimit(Resource::Nofile).maximum;
    let _as_it_was = setrlimit(Resource::Nofile, Rlimit { current: hard, maximum: hard });
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}
