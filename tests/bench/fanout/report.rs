//! The table, and what it says of the goals.

use std::collections::BTreeMap;

use crate::trial::{Outcome, Server};

/// The goals are set for a room of this size.
const ROOM: usize = 5_000;

#[derive(Default)]
pub(crate) struct Report {
    turns: BTreeMap<(usize, Server), Vec<Outcome>>,
    /// Who could not be asked.
    missing: BTreeMap<(usize, Server), String>,
}

impl Report {
    pub(crate) fn add(&mut self, clients: usize, server: Server, outcome: Outcome) {
        self.turns.entry((clients, server)).or_default().push(outcome);
    }

    pub(crate) fn miss(&mut self, clients: usize, server: Server, why: &str) {
        println!("SKIPPED {clients} clients, {}: {why}", server.name());
        self.missing.insert((clients, server), why.to_owned());
    }

    pub(crate) fn skip(&mut self, clients: usize, why: &str) {
        for server in Server::ALL {
            self.miss(clients, server, why);
        }
    }

    /// The medians of a room's turns.
    pub(crate) fn room(&self, clients: usize) {
        println!(
            "\n{clients} clients       | CPU s / 1M deliveries | p50 ms | p99 ms | KiB / subscriber | delivered"
        );
        for server in Server::ALL {
            if let Some(of) = self.medians(clients, server) {
                println!(
                    "{:<18} | {:>21.1} | {:>6.1} | {:>6.1} | {:>16.1} | {:>8.1}%",
                    server.name(),
                    of.cpu,
                    of.p50_ms,
                    of.p99_ms,
                    of.kib,
                    of.delivered * 100.0
                );
            }
        }
    }

    fn medians(&self, clients: usize, server: Server) -> Option<Outcome> {
        let turns = self.turns.get(&(clients, server))?;
        let median = |figure: fn(&Outcome) -> f64| {
            let mut figures: Vec<f64> = turns.iter().map(figure).collect();
            figures.sort_by(f64::total_cmp);
            figures[figures.len() / 2]
        };
        Some(Outcome {
            cpu: median(|of| of.cpu),
            p50_ms: median(|of| of.p50_ms),
            p99_ms: median(|of| of.p99_ms),
            kib: median(|of| of.kib),
            delivered: median(|of| of.delivered),
        })
    }

    /// The lines of `tests/bench/run`.
    pub(crate) fn verdicts(&self) {
        let room = self.turns.keys().map(|(clients, _)| *clients).find(|clients| *clients == ROOM);
        let Some(room) = room.or_else(|| self.turns.keys().map(|(clients, _)| *clients).next()) else {
            return;
        };
        let Some(ours) = self.medians(room, Server::Ours) else { return };
        println!();
        for (server, at_least) in
            [(Server::Stock, 3.5), (Server::Apollo, 4.0), (Server::Mercurius, 4.0), (Server::Yoga, 4.0)]
        {
            let what = format!("{room} clients: CPU / delivery, less than {}", server.name());
            let goal = format!(">= {at_least}");
            match self.medians(room, server) {
                Some(theirs) => {
                    let ratio = theirs.cpu / ours.cpu;
                    line(
                        &what,
                        ours.cpu,
                        "us",
                        &format!("{:.1} us", theirs.cpu),
                        ratio,
                        &goal,
                        ratio >= at_least,
                    );
                }
                None => println!("BENCH | fanout | {what} | {:.1} us | - | - | {goal} | skipped", ours.cpu),
            }
        }
        if let Some(floor) = self.medians(room, Server::Floor) {
            let (what, ratio) =
                (format!("{room} clients: CPU / delivery / no GraphQL"), ours.cpu / floor.cpu);
            line(&what, ours.cpu, "us", &format!("{:.1} us", floor.cpu), ratio, "<= 1.3", ratio <= 1.3);
            let (what, yardstick) =
                (format!("{room} clients: memory / idle subscriber"), format!("{:.1} KiB", floor.kib));
            line(&what, ours.kib, "KiB", &yardstick, ours.kib / floor.kib, "<= 12 KiB", ours.kib <= 12.0);
        }
        for (clients, _) in self.turns.keys().filter(|(_, server)| *server == Server::Ours) {
            let of = self.turns[&(*clients, Server::Ours)].iter().map(|of| of.delivered).fold(1.0, f64::min);
            line(
                &format!("{clients} clients: delivered within a second"),
                of * 100.0,
                "%",
                "100 %",
                of,
                "= 1",
                of >= 1.0,
            );
        }
    }
}

fn line(what: &str, ours: f64, unit: &str, yardstick: &str, ratio: f64, goal: &str, reached: bool) {
    let verdict = if reached { "ok" } else { "MISSED" };
    println!("BENCH | fanout | {what} | {ours:.1} {unit} | {yardstick} | {ratio:.2} | {goal} | {verdict}");
}
