//! The players as a list for people.

use roomtone_schema::play::Tier;
use roomtone_schema::player::{PlayerMode, PlayerStatus};

use super::super::say;
use crate::orders::players::PlayerLine;

/// Every player on a line, and what is wrong with it below.
pub(super) fn all(lines: &[PlayerLine]) {
    if lines.is_empty() {
        say("There is no player yet: `roomtone-hub pair` lets one in.");
    }
    let widest = lines.iter().map(|line| line.name.chars().count()).max().unwrap_or(0);
    for line in lines {
        say(format!("{:widest$}  {}", line.name, words(line)));
        for alarm in alarms(line) {
            say(format!("  ! {alarm}"));
        }
    }
}

fn words(line: &PlayerLine) -> String {
    let mut words = vec![state(line), format!("zone {}", line.zone), format!("volume {} %", line.volume)];
    match line.tier {
        Tier::Hub => {}
        Tier::Plan => words.push("plays by its plan".to_owned()),
        Tier::Cache => words.push("plays what it holds".to_owned()),
    }
    if !line.paired {
        words.push("terminal".to_owned());
    }
    words.join(", ")
}

fn state(line: &PlayerLine) -> String {
    match (line.status, line.mode) {
        (PlayerStatus::Offline, _) => "out of reach".to_owned(),
        (_, PlayerMode::Paused) => "paused".to_owned(),
        (_, PlayerMode::Stopped) => "stopped".to_owned(),
        (PlayerStatus::Idle, PlayerMode::Playing) => "idle".to_owned(),
        (PlayerStatus::Active, PlayerMode::Playing) => {
            line.song.as_ref().map_or_else(|| "plays".to_owned(), |song| format!("plays {song}"))
        }
    }
}

fn alarms(line: &PlayerLine) -> Vec<String> {
    let mut alarms = Vec::new();
    if line.status == PlayerStatus::Offline {
        let seen = line.seen_ago_s.map_or_else(
            || "it has never been heard of".to_owned(),
            |seconds| format!("it was last heard of {}", ago(seconds)),
        );
        alarms.push(format!("{seen}; look at its power and network"));
    }
    if line.silent {
        alarms.push("it is silent though it should play; look at its cable and volume".to_owned());
    }
    let health = line.health.clone().unwrap_or_default();
    alarms.extend(health.output_trouble.map(|trouble| format!("its output: {trouble}")));
    alarms.extend(health.rogue.map(|rogue| format!("somebody says to be its hub and is not: {rogue}")));
    alarms
}

fn ago(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} seconds ago"),
        120..=7_199 => format!("{} minutes ago", seconds / 60),
        _ => format!("{} hours ago", seconds / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar() -> PlayerLine {
        PlayerLine {
            id: "x".to_owned(),
            name: "bar".to_owned(),
            zone: "main".to_owned(),
            status: PlayerStatus::Active,
            mode: PlayerMode::Playing,
            song: Some("Copper Wire by Nine Volt".to_owned()),
            tier: Tier::Hub,
            volume: 80,
            silent: false,
            silence_s: 0.0,
            paired: true,
            seen_ago_s: Some(1),
            health: None,
        }
    }

    #[test]
    fn a_player_is_told_in_words() {
        assert_eq!(words(&bar()), "plays Copper Wire by Nine Volt, zone main, volume 80 %");
        let plan = PlayerLine { tier: Tier::Plan, mode: PlayerMode::Paused, paired: false, ..bar() };
        assert_eq!(words(&plan), "paused, zone main, volume 80 %, plays by its plan, terminal");
        assert!(alarms(&plan).is_empty());
    }

    #[test]
    fn what_is_wrong_is_said_with_what_to_look_at() {
        let gone = PlayerLine { status: PlayerStatus::Offline, seen_ago_s: Some(600), ..bar() };
        assert_eq!(alarms(&gone), ["it was last heard of 10 minutes ago; look at its power and network"]);
        let silent = PlayerLine { silent: true, ..bar() };
        assert_eq!(alarms(&silent).len(), 1);
    }
}
