//! What a manager sets at the cloud counts while the hub runs.

use roomtone_schema::venue::ZoneSettings;
use roomtone_sync::wire::{VenueNews, ZoneNews};

use super::*;
use crate::locks::reading;

fn zone_row(seq: i64, settings: &str) -> Row {
    let news = ZoneNews { name: "main".to_owned(), settings: settings.to_owned(), archived: false };
    row(Kind::Zone, pk(900), seq, &news)
}

fn venue_row(seq: i64, penalty_hours: i32) -> Row {
    let news = VenueNews {
        name: "Resonance by the river".to_owned(),
        timezone: "Europe/Lisbon".to_owned(),
        penalty_hours,
        crossfade_ms: 7_000,
        settings: "{}".to_owned(),
    };
    row(Kind::Venue, pk(901), seq, &news)
}

fn settings(venue: &Venue) -> ZoneSettings {
    venue.hub.zone(venue.hub.main_zone()).unwrap().settings
}

fn shown_ahead(venue: &Venue) -> usize {
    venue.hub.up_next(venue.hub.main_zone()).unwrap().borrow().len()
}

fn rest(venue: &Venue) -> Duration {
    reading(&venue.hub.0.room(venue.hub.main_zone()).unwrap().order).rest_window()
}

#[tokio::test]
async fn a_zone_follows_its_settings_while_it_plays() {
    let venue = Venue::with_songs(300).await;
    let player = venue.player("bar").await.player.id;
    let before = venue.claim(player).await.pick;
    venue.hub.settle().await;
    assert!(shown_ahead(&venue) > 0);
    let (rested, store) = (rest(&venue), link_of(&venue).await);
    let told = r#"{ "show_up_next": false, "crossfade_ms": 9000, "loudness_lufs": -20.0, "penalty_hours": 9,
        "skip_share": 1.0, "skip_min": 7, "require_rotating_code": true, "profile": [1.0, 0.0, 0.0, 0.0, 0.0] }"#;
    store.apply(venue_scope(), at(0), at(1), vec![zone_row(1, told)]).await.unwrap();
    assert_eq!(shown_ahead(&venue), 0, "at once");
    venue.hub.settle().await;
    assert_eq!(shown_ahead(&venue), 0);
    assert!(rest(&venue) > rested, "songs rest longer");
    assert!(venue.hub.room_code(venue.hub.main_zone()).unwrap().rotating_required);
    let playing = venue.hub.now_playing(venue.hub.main_zone()).unwrap().borrow().clone().unwrap();
    assert_eq!(playing.pick.id, before.id, "what sounds goes on");
    assert_eq!(playing.skip_votes_needed, 7);
    venue.clock.advance(crate::hub::tests::venue::SONG);
    let next = venue.claim(player).await.pick;
    assert_eq!(next.crossfade_ms, 9_000);
    let vibe = venue.hub.vibe(venue.hub.main_zone()).unwrap().borrow().clone();
    assert!(vibe.axes[0] > 0.9, "nobody is here: {:?}", vibe.axes);
    // It still says so after a start, and the configuration speaks again where the cloud does not.
    let venue = venue.restart().await;
    assert_eq!(settings(&venue).crossfade_ms, 9_000);
    let store = link_of(&venue).await;
    store.apply(venue_scope(), at(1), at(2), vec![gone(Kind::Zone, pk(900), 2)]).await.unwrap();
    assert_eq!(settings(&venue), venue.options.zones[0].1);
    venue.hub.settle().await;
    assert!(shown_ahead(&venue) > 0);
    assert_eq!(rest(&venue), rested);
}

#[tokio::test]
async fn the_venue_speaks_where_its_zone_does_not_and_is_called_what_it_is_called() {
    let venue = Venue::empty().await;
    let store = link_of(&venue).await;
    store.apply(venue_scope(), at(0), at(1), vec![venue_row(1, 12)]).await.unwrap();
    assert_eq!((settings(&venue).penalty_hours, settings(&venue).crossfade_ms), (12, 7_000));
    let called = venue.hub.venue();
    assert_eq!(
        (called.name.as_str(), called.time_zone.as_str()),
        ("Resonance by the river", "Europe/Lisbon")
    );
    store.apply(venue_scope(), at(1), at(2), vec![zone_row(2, r#"{ "penalty_hours": 2 }"#)]).await.unwrap();
    assert_eq!((settings(&venue).penalty_hours, settings(&venue).crossfade_ms), (2, 7_000));
    store.apply(venue_scope(), at(2), at(3), vec![zone_row(3, r#"{ "penalty_hours": 99 }"#)]).await.unwrap();
    assert_eq!(settings(&venue).penalty_hours, 12, "nonsense of a zone is left out");
    venue.hub.store().write(link::forget).await.unwrap();
    let venue = venue.restart().await;
    assert_eq!(venue.hub.venue().name, "Café Resonance");
    assert_eq!(settings(&venue), venue.options.zones[0].1);
}

#[tokio::test]
async fn a_player_that_a_manager_moves_plays_what_its_new_zone_plays() {
    let terrace = ("terrace".to_owned(), ZoneSettings::default());
    let venue = Venue::with(|options| options.zones.push(terrace)).await;
    let store = link_of(&venue).await;
    let added = venue.hub.add_player("bar".to_owned(), None, None).await.unwrap();
    let stands = || venue.hub.players().borrow().iter().map(|view| view.player.zone).collect::<Vec<_>>();
    let zone = |name: &str| venue.hub.zones().iter().find(|zone| zone.name == name).map(|zone| zone.id);
    assert_eq!(stands(), [venue.hub.main_zone()]);
    let news = |zone: &str| {
        let (name, zone) = ("bar".to_owned(), Some(zone.to_owned()));
        PlayerNews { name, zone, revoked: false, volume: None }
    };
    let told = |seq, zone| row(Kind::Player, added.player.id.uuid(), seq, &news(zone));
    store.apply(venue_scope(), at(0), at(1), vec![told(1, "terrace")]).await.unwrap();
    assert_eq!(stands(), [zone("terrace").unwrap()]);
    store.apply(venue_scope(), at(1), at(2), vec![told(2, "cellar")]).await.unwrap();
    assert_eq!(stands(), [zone("terrace").unwrap()], "this hub has no cellar");
}
