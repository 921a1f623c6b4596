//! From what was seen to its causes. A pure function.

use std::net::SocketAddr;
use std::time::Duration;

use roomtone_schema::UnixMillis;

use super::evidence::{Call, Evidence, Multicast, Paired, Reached};
use super::{Finding, Severity};
use crate::hub_client::LinkError;
use crate::hub_finder::SeenHub;

/// 2026-01-01: nothing of Roomtone happened before it, so a clock that shows less is wrong.
const EARLIEST: UnixMillis = UnixMillis(1_767_225_600_000);

/// Clocks of machines that nobody has set by hand agree better than this.
const AGREE_WITHIN: Duration = Duration::from_mins(2);

/// Less than some songs in good quality.
const LOW_DISK: u64 = 256 << 20;

/// What an opened device says when somebody else has it.
const BUSY: [&str; 5] = ["busy", "in use", "ebusy", "exclusive", "resource temporarily unavailable"];

/// The causes, the worst first. Where there is none, that all is well.
pub fn judge(evidence: &Evidence) -> Vec<Finding> {
    let mut findings = Vec::new();
    match &evidence.paired {
        Err(damaged) => findings.push(identity_damaged(damaged)),
        Ok(None) => findings.push(not_paired(evidence)),
        Ok(Some(_)) => {}
    }
    if evidence.interfaces.is_empty() {
        findings.push(no_network());
    } else {
        findings.extend(multicast_blocked(evidence));
        if let Ok(Some(paired)) = &evidence.paired {
            findings.extend(the_hub(evidence, paired));
        }
    }
    findings.extend(clock_wrong(evidence));
    findings.extend(the_output(evidence));
    findings.extend(disk_low(evidence));
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    if findings.is_empty() {
        findings.push(all_well(evidence));
    }
    findings
}

fn serious(code: &'static str, what: impl Into<String>, evidence: Vec<String>, todo: &str) -> Finding {
    Finding { code, severity: Severity::Serious, what: what.into(), evidence, todo: todo.to_owned() }
}

fn warning(code: &'static str, what: impl Into<String>, evidence: Vec<String>, todo: &str) -> Finding {
    Finding { severity: Severity::Warning, ..serious(code, what, evidence, todo) }
}

fn identity_damaged(why: &str) -> Finding {
    serious(
        "identity_damaged",
        "this player no longer knows its hub",
        vec![why.to_owned()],
        "Pair it again: `roomtone-hub pair` on the hub, `roomtone-player pair CODE` here.",
    )
}

fn not_paired(evidence: &Evidence) -> Finding {
    let seen = match evidence.hubs.as_slice() {
        [] => vec!["no hub announces itself on this network".to_owned()],
        hubs => hubs.iter().map(described).collect(),
    };
    serious(
        "not_paired",
        "this player belongs to no hub yet",
        seen,
        "On the hub, `roomtone-hub pair` shows a code; here, `roomtone-player pair CODE`.",
    )
}

fn no_network() -> Finding {
    serious(
        "no_network",
        "this machine is in no network",
        vec!["no network interface is up and has an address".to_owned()],
        "Look at the cable or the Wi-Fi settings. What is on the disk plays on meanwhile.",
    )
}

/// Only where nobody was heard either: a hub that was heard proves that multicast comes through.
fn multicast_blocked(evidence: &Evidence) -> Option<Finding> {
    if !evidence.hubs.is_empty() {
        return None;
    }
    let seen = match &evidence.multicast {
        Multicast::Heard => return None,
        Multicast::Silent(why) => {
            let own = "what this machine sends to 224.0.0.251:5353 does not come back to it".to_owned();
            [Some(own), why.clone()].into_iter().flatten().collect()
        }
        Multicast::Untried(why) => vec![format!("multicast could not be tried: {why}")],
    };
    let found_anyway = evidence.calls.iter().any(|call| call.outcome == Reached::Hub);
    let what =
        "multicast (mDNS, UDP port 5353) is blocked on this machine, so hubs are not found by themselves";
    let todo = "Open UDP port 5353 in this machine's firewall, or say where the hub is: `--hub ADDRESS`.";
    let finding = if found_anyway { warning } else { serious };
    Some(finding("multicast_blocked", what, seen, todo))
}

/// Everything between this player and its hub.
fn the_hub(evidence: &Evidence, paired: &Paired) -> Vec<Finding> {
    let mut findings = Vec::new();
    let reached = evidence.calls.iter().any(|call| call.outcome == Reached::Hub);
    findings.extend(rogue_hub(evidence, reached));
    findings.extend(second_hub(evidence, paired));
    if reached {
        findings.extend(evidence.accepted.as_ref().and_then(|accepted| not_accepted(paired, accepted)));
    } else if findings.iter().all(|finding| finding.code != "rogue_hub") {
        findings.push(not_reached(evidence, paired));
    }
    findings
}

fn rogue_hub(evidence: &Evidence, reached: bool) -> Option<Finding> {
    let wrong = |call: &Call| match &call.outcome {
        Reached::Other(LinkError::WrongKey { expected, seen, address }) => {
            Some(format!("{address} shows the key {seen}, the hub's is {expected}"))
        }
        _ => None,
    };
    let seen: Vec<String> = evidence.calls.iter().filter_map(wrong).collect();
    if seen.is_empty() {
        return None;
    }
    let what = "somebody on this network says that it is your hub and has another key; it was told nothing";
    Some(if reached {
        warning(
            "rogue_hub",
            what,
            seen,
            "Find out whose machine that is. The player stays with the real hub.",
        )
    } else {
        serious(
            "rogue_hub",
            what,
            seen,
            "If the hub was set up anew (new machine, new data folder), pair this player again. If not, find out \
             whose machine that is.",
        )
    })
}

fn second_hub(evidence: &Evidence, paired: &Paired) -> Option<Finding> {
    let others =
        evidence.hubs.iter().filter(|seen| seen.venue == Some(paired.venue) && seen.hub != paired.hub);
    let seen: Vec<String> = others.map(described).collect();
    if seen.is_empty() {
        return None;
    }
    Some(warning(
        "second_hub",
        format!("{} has a second hub on this network", paired.venue_name),
        seen,
        "A venue has one hub: two make two programmes. Turn one off; players of that one must be paired again.",
    ))
}

fn not_accepted(paired: &Paired, accepted: &Result<(), LinkError>) -> Option<Finding> {
    match accepted {
        Ok(()) => None,
        Err(LinkError::Revoked) => Some(serious(
            "revoked",
            format!("the hub of {} does not accept this player any more", paired.venue_name),
            vec![format!("it answers, and does not know the secret of {}", paired.name)],
            "If that was not meant: `roomtone-hub pair` on the hub, `roomtone-player pair CODE` here.",
        )),
        Err(error) => Some(serious(
            "hub_troubled",
            format!("the hub of {} answers, but not as it should", paired.venue_name),
            vec![error.to_string()],
            "Look at the hub: `roomtone-hub status`, and its log. Are hub and player of the same version?",
        )),
    }
}

/// Why nobody with the hub's key has answered anywhere.
fn not_reached(evidence: &Evidence, paired: &Paired) -> Finding {
    let called: Vec<String> = evidence.calls.iter().map(outcome).collect();
    let announced = evidence.hubs.iter().any(|seen| seen.hub == paired.hub);
    let refused = evidence.calls.iter().any(|call| call.outcome == Reached::Refused);
    if refused {
        return serious(
            "hub_not_running",
            format!("the machine of {}'s hub is there, and the hub does not run on it", paired.venue_name),
            called,
            "Start the hub: `systemctl start roomtone-hub` there, or look why it does not start: `journalctl -u \
             roomtone-hub`.",
        );
    }
    if announced || is_kept_apart(evidence) {
        return kept_apart(evidence, paired, called, announced);
    }
    if !evidence.hubs.is_empty() {
        return serious(
            "foreign_hub_only",
            format!("only hubs of other venues are here; this player belongs to {}", paired.venue_name),
            evidence.hubs.iter().map(described).chain(called).collect(),
            "Turn the hub on, or connect this player to the hub's network. To join another venue, pair it anew.",
        );
    }
    let called = if called.is_empty() { vec!["no address of it is known".to_owned()] } else { called };
    serious(
        "hub_not_found",
        format!("the hub of {} is nowhere on this network", paired.venue_name),
        called
            .into_iter()
            .chain(evidence.interfaces.iter().map(|own| format!("we are {} on {}", own.ip, own.name)))
            .collect(),
        "Is the hub on, and in the same network? If it is in another one, say where: `--hub ADDRESS`.",
    )
}

/// The hub's place is in our own network and stays silent, while somebody else there has answered.
fn is_kept_apart(evidence: &Evidence) -> bool {
    let silent = |call: &&Call| call.outcome == Reached::Silence && is_near(evidence, call.address);
    let others = evidence
        .neighbours
        .iter()
        .any(|(ip, answered)| *answered && !evidence.calls.iter().any(|call| call.address.ip() == *ip));
    evidence.hubs.is_empty() && others && evidence.calls.iter().any(|call| silent(&call))
}

fn kept_apart(evidence: &Evidence, paired: &Paired, called: Vec<String>, announced: bool) -> Finding {
    let mut seen = called;
    if announced {
        seen.push("it announces itself here".to_owned());
    }
    for (ip, _) in evidence.neighbours.iter().filter(|(_, answered)| *answered) {
        seen.push(format!("{ip}, in the same network, does answer"));
    }
    serious(
        "client_isolation",
        format!(
            "the hub of {} is in this network and cannot be reached: it is off, or the network keeps its devices apart",
            paired.venue_name
        ),
        seen,
        "If the hub is on: turn off client isolation (also: AP isolation, guest network) at the access point, or \
         let TCP through in the hub's firewall.",
    )
}

fn is_near(evidence: &Evidence, address: SocketAddr) -> bool {
    evidence.interfaces.iter().any(|interface| interface.reaches(address.ip()))
}

fn clock_wrong(evidence: &Evidence) -> Option<Finding> {
    let wall = evidence.wall;
    let apart = |hub: UnixMillis| hub.since(wall).max(wall.since(hub));
    let differs = evidence.hub_wall.filter(|hub| AGREE_WITHIN < apart(*hub));
    if EARLIEST <= wall && differs.is_none() {
        return None;
    }
    let mut seen = vec![format!("this machine says {}", day(wall))];
    seen.extend(evidence.hub_wall.map(|hub| format!("the hub says {}", day(hub))));
    let todo = match differs {
        Some(hub) if EARLIEST <= wall && hub < EARLIEST => {
            "Set the hub's clock (`timedatectl set-ntp true` there)."
        }
        _ => {
            "Set the clock: `timedatectl set-ntp true`. Music plays on meanwhile; history may show odd times."
        }
    };
    Some(warning("clock_wrong", "the clocks are wrong", seen, todo))
}

fn the_output(evidence: &Evidence) -> Option<Finding> {
    let output = &evidence.output;
    let mut seen = vec![format!("the settings ask for {}", output.wanted)];
    seen.extend(output.trouble.clone());
    seen.push(match output.devices.as_slice() {
        [] => "there is no sound device".to_owned(),
        devices => format!("there are {}", devices.join(", ")),
    });
    if output.needs_device && output.devices.is_empty() {
        let todo = "Plug a sound device in, or let this user use it: `usermod -aG audio USER`. \
                    `roomtone-player --output list` shows what there is.";
        return Some(serious(
            "no_audio_device",
            "this machine has no sound device that can be used",
            seen,
            todo,
        ));
    }
    let trouble = output.trouble.as_ref()?.to_lowercase();
    if BUSY.iter().any(|word| trouble.contains(word)) {
        let todo = "Another program has the sound device: `fuser -v /dev/snd/*` names it. End it, or let both use \
                    PulseAudio or PipeWire.";
        return Some(serious("device_busy", "the sound device is in use by somebody else", seen, todo));
    }
    let todo = if trouble.contains("permission") {
        "Let this user use the sound device: `usermod -aG audio USER`, then sign in anew."
    } else {
        "Choose another output: `roomtone-player --output list` shows what there is."
    };
    Some(serious("output_unusable", "the sound output cannot be used", seen, todo))
}

fn disk_low(evidence: &Evidence) -> Option<Finding> {
    let free = evidence.disk_free.filter(|free| *free < LOW_DISK)?;
    Some(warning(
        "disk_low",
        "the disk is almost full, so fewer songs are kept for when the hub is gone",
        vec![format!("{} MB are free", free >> 20)],
        "Free some space, or use another disk: `--data DIR`.",
    ))
}

fn all_well(evidence: &Evidence) -> Finding {
    let Ok(Some(paired)) = &evidence.paired else { return not_paired(evidence) };
    let reached = evidence.calls.iter().filter(|call| call.outcome == Reached::Hub);
    let seen = reached.map(|call| format!("the hub answers at {} with its key", call.address)).collect();
    let what = format!("all is well: {} plays for {}", paired.name, paired.venue_name);
    Finding { code: "all_well", severity: Severity::Well, what, evidence: seen, todo: String::new() }
}

fn described(hub: &SeenHub) -> String {
    let place = hub.addresses.first().map_or_else(String::new, |place| format!(" at {place}"));
    let takes_players = if hub.tls.is_some() { "" } else { ", which takes no players" };
    format!("hub {:?}{place}{takes_players} (id {})", hub.name, hub.hub)
}

fn outcome(call: &Call) -> String {
    let address = call.address;
    match &call.outcome {
        Reached::Hub => format!("{address} is the hub"),
        Reached::Refused => format!("{address} refuses: the machine is there, nothing listens"),
        Reached::Silence => format!("{address} does not answer"),
        Reached::NoRoute => format!("there is no way to {address}"),
        Reached::Other(error) => error.to_string(),
    }
}

/// The day, as people write it. RFC 3339 without the time.
fn day(at: UnixMillis) -> String {
    // Howard Hinnant's `civil_from_days`: years that begin in March.
    let days = at.0.div_euclid(86_400_000) + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let date = of_year - (153 * month + 2) / 5 + 1;
    let (year, month) =
        if month < 10 { (era * 400 + year, month + 3) } else { (era * 400 + year + 1, month - 9) };
    let minute = at.0.rem_euclid(86_400_000) / 60_000;
    format!("{year:04}-{month:02}-{date:02} {:02}:{:02} UTC", minute / 60, minute % 60)
}

#[cfg(test)]
mod tests;
