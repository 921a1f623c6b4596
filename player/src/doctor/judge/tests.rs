use std::net::IpAddr;

use roomtone_schema::song::Sha256;
use roomtone_schema::{HubId, VenueId};
use rstest::rstest;
use uuid::Uuid;

use super::super::evidence::{Interface, OutputEvidence};
use super::*;
use crate::pinned::HubKey;

const NOON: UnixMillis = UnixMillis(1_795_348_800_000);
const HUB: &str = "192.168.1.20:4701";

fn hub(id: u128, venue: u128) -> SeenHub {
    SeenHub {
        full_name: format!("hub {id}._roomtone._tcp.local."),
        name: format!("hub {id}"),
        hub: HubId(Uuid::from_u128(id)),
        venue: Some(VenueId(Uuid::from_u128(venue))),
        tls: Some(4701),
        addresses: vec!["192.168.1.20:4700".parse().unwrap()],
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn called(outcome: Reached) -> Vec<Call> {
    vec![Call { address: HUB.parse().unwrap(), outcome }]
}

fn wrong_key() -> Reached {
    let key = |n| HubKey(Sha256([n; 32]));
    let address = "192.168.1.66:4701".parse().unwrap();
    Reached::Other(LinkError::WrongKey { expected: key(1), seen: key(2), address })
}

/// A player that plays as it should.
fn well() -> Evidence {
    Evidence {
        paired: Ok(Some(Paired {
            hub: HubId(Uuid::from_u128(1)),
            venue: VenueId(Uuid::from_u128(1)),
            venue_name: "Café".to_owned(),
            name: "bar".to_owned(),
        })),
        interfaces: vec![Interface { name: "eth0".to_owned(), ip: ip("192.168.1.7"), prefix: 24 }],
        multicast: Multicast::Heard,
        hubs: vec![hub(1, 1)],
        calls: called(Reached::Hub),
        neighbours: vec![(ip("192.168.1.1"), true), (ip("192.168.1.20"), true)],
        accepted: Some(Ok(())),
        wall: NOON,
        hub_wall: Some(NOON),
        output: OutputEvidence {
            wanted: "device".to_owned(),
            devices: vec!["front".to_owned()],
            needs_device: true,
            running: false,
            trouble: None,
        },
        disk_free: Some(8 << 30),
    }
}

fn silence() -> Evidence {
    Evidence { hubs: Vec::new(), calls: called(Reached::Silence), accepted: None, hub_wall: None, ..well() }
}

fn output(devices: &[&str], trouble: Option<&str>) -> Evidence {
    let mut evidence = well();
    evidence.output.devices = devices.iter().map(|name| (*name).to_owned()).collect();
    evidence.output.trouble = trouble.map(str::to_owned);
    evidence
}

fn kept_apart() -> Evidence {
    let neighbours = vec![(ip("192.168.1.1"), true), (ip("192.168.1.20"), false)];
    Evidence { neighbours, ..silence() }
}

fn alone() -> Evidence {
    Evidence { neighbours: vec![(ip("192.168.1.20"), false)], ..silence() }
}

#[rstest]
#[case::all_well(well(), &["all_well"])]
#[case::no_network(Evidence { interfaces: Vec::new(), multicast: Multicast::Untried("x".into()), ..silence() }, &["no_network"])]
#[case::multicast_blocked(
    Evidence { multicast: Multicast::Silent(Some("operation not permitted".into())), hubs: Vec::new(), ..well() },
    &["multicast_blocked"]
)]
#[case::multicast_blocked_and_nobody_to_be_found(
    Evidence { multicast: Multicast::Silent(None), ..alone() },
    &["multicast_blocked", "hub_not_found"]
)]
#[case::client_isolation(kept_apart(), &["client_isolation"])]
#[case::announced_and_unreachable(Evidence { calls: called(Reached::Silence), accepted: None, ..well() }, &["client_isolation"])]
#[case::foreign_hub_only(Evidence { hubs: vec![hub(2, 2)], ..alone() }, &["foreign_hub_only"])]
#[case::foreign_hub_beside_ours(Evidence { hubs: vec![hub(1, 1), hub(2, 2)], ..well() }, &["all_well"])]
#[case::second_hub_of_the_venue(Evidence { hubs: vec![hub(1, 1), hub(3, 1)], ..well() }, &["second_hub"])]
#[case::clock_of_1971(Evidence { wall: UnixMillis(31_536_000_000), hub_wall: None, ..well() }, &["clock_wrong"])]
#[case::clock_apart(Evidence { hub_wall: Some(NOON + Duration::from_hours(1)), ..well() }, &["clock_wrong"])]
#[case::no_audio_device(output(&[], Some("no default device")), &["no_audio_device"])]
#[case::device_busy(output(&["front"], Some("Device or resource busy")), &["device_busy"])]
#[case::device_busy_in_cpals_words(
    output(&["front"], Some("The requested device is temporarily busy. Another application or stream may be using it.")),
    &["device_busy"]
)]
#[case::device_of_another_name(output(&["front"], Some("there is no device called rear")), &["output_unusable"])]
#[case::disk_low(Evidence { disk_free: Some(1 << 20), ..well() }, &["disk_low"])]
#[case::not_paired(Evidence { paired: Ok(None), accepted: None, ..well() }, &["not_paired"])]
#[case::identity_damaged(Evidence { paired: Err("damaged".into()), accepted: None, ..well() }, &["identity_damaged"])]
#[case::revoked(Evidence { accepted: Some(Err(LinkError::Revoked)), ..well() }, &["revoked"])]
#[case::hub_troubled(Evidence { accepted: Some(Err(LinkError::Odd("x".into()))), ..well() }, &["hub_troubled"])]
#[case::rogue_hub(Evidence { calls: called(wrong_key()), accepted: None, ..well() }, &["rogue_hub"])]
#[case::rogue_beside_ours(
    Evidence { calls: [called(Reached::Hub), called(wrong_key())].concat(), ..well() },
    &["rogue_hub"]
)]
#[case::hub_not_running(Evidence { calls: called(Reached::Refused), ..silence() }, &["hub_not_running"])]
#[case::hub_gone(alone(), &["hub_not_found"])]
#[case::hub_elsewhere(Evidence { calls: called(Reached::NoRoute), ..silence() }, &["hub_not_found"])]
fn a_cause_is_named(#[case] evidence: Evidence, #[case] expected: &[&str]) {
    let findings = judge(&evidence);
    let codes: Vec<&str> = findings.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, expected, "{findings:#?}");
    for finding in &findings {
        assert!(!finding.what.is_empty() && !finding.evidence.is_empty(), "{finding}");
        assert_eq!(finding.todo.is_empty(), finding.code == "all_well", "{finding}");
    }
}

#[test]
fn what_keeps_the_music_away_is_told_before_what_does_not() {
    let evidence = Evidence { disk_free: Some(0), calls: called(Reached::Refused), ..silence() };
    let findings = judge(&evidence);
    assert_eq!(findings[0].code, "hub_not_running");
    assert!(findings[0].is_serious() && !findings[1].is_serious());
}

#[test]
fn a_discarding_player_needs_no_device() {
    let mut evidence = output(&[], None);
    evidence.output.needs_device = false;
    evidence.output.wanted = "discard".to_owned();
    assert_eq!(judge(&evidence)[0].code, "all_well");
}

#[test]
fn a_rogue_beside_the_real_hub_is_no_reason_to_stop() {
    let evidence = Evidence { calls: [called(Reached::Hub), called(wrong_key())].concat(), ..well() };
    assert_eq!(judge(&evidence)[0].severity, Severity::Warning);
}

#[test]
fn days_are_written_as_people_do() {
    assert_eq!(day(UnixMillis(0)), "1970-01-01 00:00 UTC");
    assert_eq!(day(UnixMillis(1_709_208_000_000)), "2024-02-29 12:00 UTC");
    assert_eq!(day(UnixMillis(-1)), "1969-12-31 23:59 UTC");
}
