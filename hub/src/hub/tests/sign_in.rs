//! Signing in with a ticket: believed offline, once, here, and for nobody else's votes.

use std::time::Duration;

use roomtone_schema::id::Id as _;
use roomtone_schema::vote::VoteValue::{Dislike, Like};
use roomtone_schema::{HubId, ListenerId, OrganisationId, UnixMillis, VenueId};
use roomtone_sync::credential::{SigningKey, Ticket};
use roomtone_sync::wire::EnrolAnswer;
use uuid::Uuid;

use super::venue::{Venue, key};
use crate::check_in::NoViewer;
use crate::cloud_link::Enrolment;
use crate::locks::writing;
use crate::signing_in::{Recognised, SignInError, SigningIn};
use crate::store::sign_ins::{Claimed, SignedIn};
use crate::store::{FactKind, outbox, preferences};
use crate::view::Viewer;

const PROFILE: Uuid = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001);

fn cloud_key() -> SigningKey {
    SigningKey::from_seed(&[9; 32]).unwrap()
}

fn here() -> VenueId {
    VenueId(Uuid::from_u128(77))
}

/// A venue that has a cloud, which it cannot reach.
async fn enrolled(songs: usize) -> Venue {
    let venue = Venue::with_songs(songs).await;
    let answer = EnrolAnswer {
        hub: HubId::from_uuid(Uuid::from_u128(5)),
        venue: here(),
        organisation: OrganisationId(Uuid::from_u128(6)),
        venue_name: "Café Resonance".to_owned(),
        hub_name: "hub".to_owned(),
    };
    *writing(&venue.hub.0.enrolment) = Some(Enrolment::new("http://cloud.invalid", answer, [0; 32]));
    *writing(&venue.hub.0.ticket_keys) = vec![cloud_key().public()];
    venue
}

fn ticket_of(profile: Uuid, venue: VenueId, now: UnixMillis, key: &SigningKey) -> String {
    Ticket::new(Uuid::from_bytes(crate::secrets::random()), profile, venue, None, now).sign(key)
}

fn wish(ticket: &str, claim_votes: bool) -> SigningIn {
    SigningIn { key: key(), ticket: ticket.to_owned(), claim_votes }
}

fn good(venue: &Venue, profile: Uuid) -> String {
    ticket_of(profile, here(), venue.hub.cloud_now(), &cloud_key())
}

async fn kinds(venue: &Venue) -> Vec<outbox::Fact> {
    venue.hub.0.store.read(|conn| outbox::after(conn, 0, 10_000)).await.unwrap()
}

fn profile() -> ListenerId {
    ListenerId::from_uuid(PROFILE)
}

#[tokio::test]
async fn a_guest_becomes_the_profile_with_what_they_said() {
    let venue = enrolled(4).await;
    let guest = venue.check_in("ana").await;
    venue.vote(&guest, venue.songs[0], Like).await.unwrap();
    venue.vote(&guest, venue.songs[1], Dislike).await.unwrap();
    let (taste, vibe) = (venue.hub.taste(&guest), venue.vibe().axes);
    let ticket = good(&venue, PROFILE);
    let recognised = venue.hub.sign_in(&guest, wish(&ticket, true)).await.unwrap();
    assert_eq!(recognised, Recognised { listener: profile(), claimed: 2 });

    // A socket that was opened before still names the guest, and means the profile.
    assert_eq!(venue.hub.as_now(&guest).listener, profile());
    assert_eq!(venue.hub.viewer_votes(&guest).len(), 2);
    assert_eq!(venue.hub.taste(&guest), taste, "to the bit");
    let voted = venue.vote(&guest, venue.songs[2], Like).await.unwrap();
    assert_eq!(voted.vote.listener, profile());
    venue.hub.settle().await;
    assert_eq!(venue.vibe().active_listeners, 1);
    assert_ne!(venue.vibe().axes.map(f64::to_bits), vibe.map(f64::to_bits), "the new vote counts");

    let facts = kinds(&venue).await;
    let signed: SignedIn =
        facts.iter().find(|fact| fact.kind == FactKind::ListenerSignedIn).unwrap().noun().unwrap();
    assert_eq!((signed.session, signed.listener, signed.guest), (guest.session, profile(), guest.listener));
    assert!(Ticket::verify_whenever(&signed.ticket, &[cloud_key().public()]).is_some());
    let claimed: Claimed =
        facts.iter().find(|fact| fact.kind == FactKind::VotesClaimed).unwrap().noun().unwrap();
    assert_eq!(claimed, Claimed { guest: guest.listener, listener: profile() });
}

#[tokio::test]
async fn after_a_restart_they_are_who_they_are() {
    let venue = enrolled(3).await;
    let checked_in = venue.try_check_in(|_| {}).await.unwrap();
    let guest = venue.hub.viewer(&checked_in.token).unwrap();
    venue.vote(&guest, venue.songs[0], Like).await.unwrap();
    venue.hub.sign_in(&guest, wish(&good(&venue, PROFILE), true)).await.unwrap();
    let taste = venue.hub.taste(&guest);
    let venue = venue.restart().await;
    let viewer = venue.hub.viewer(&checked_in.token).unwrap();
    assert_eq!(viewer.listener, profile());
    assert_eq!(venue.hub.taste(&viewer), taste);
    // The phone's next visit is theirs, too.
    let again = venue
        .try_check_in(|arrival| arrival.device_cookie = checked_in.new_device_cookie.clone())
        .await
        .unwrap();
    assert_eq!(again.session.listener, profile());
}

#[tokio::test]
async fn votes_that_are_not_claimed_stay_the_guests() {
    let venue = enrolled(3).await;
    let guest = venue.check_in("ana").await;
    venue.vote(&guest, venue.songs[0], Like).await.unwrap();
    let recognised = venue.hub.sign_in(&guest, wish(&good(&venue, PROFILE), false)).await.unwrap();
    assert_eq!(recognised.claimed, 0);
    assert_eq!(venue.hub.viewer_votes(&guest), vec![]);
    assert!(kinds(&venue).await.iter().all(|fact| fact.kind != FactKind::VotesClaimed));
}

#[tokio::test]
async fn the_newer_vote_for_a_song_wins() {
    let venue = enrolled(3).await;
    let first = venue.check_in("at home").await;
    venue.hub.sign_in(&first, wish(&good(&venue, PROFILE), true)).await.unwrap();
    venue.vote(&first, venue.songs[0], Like).await.unwrap();
    venue.vote(&first, venue.songs[1], Like).await.unwrap();
    let other = venue.check_in("another phone").await;
    venue.vote(&other, venue.songs[0], Dislike).await.unwrap();
    venue.hub.sign_in(&other, wish(&good(&venue, PROFILE), true)).await.unwrap();
    let value = |song| venue.hub.viewer_vote(&first, song).unwrap().value;
    assert_eq!((value(venue.songs[0]), value(venue.songs[1])), (Dislike, Like));
    let state = venue
        .hub
        .0
        .store
        .read(|conn| preferences::get(conn, profile(), roomtone_schema::EmbeddingVersion::CURRENT))
        .await
        .unwrap();
    assert_eq!((state.n_like, state.n_dislike), (1, 1));
}

#[tokio::test]
async fn a_phone_that_changes_hands_gives_nobody_somebody_elses_votes() {
    let venue = enrolled(3).await;
    let phone = venue.check_in("ana").await;
    venue.hub.sign_in(&phone, wish(&good(&venue, PROFILE), true)).await.unwrap();
    venue.vote(&phone, venue.songs[0], Like).await.unwrap();
    let other = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0002);
    let recognised = venue.hub.sign_in(&phone, wish(&good(&venue, other), true)).await.unwrap();
    assert_eq!((recognised.listener, recognised.claimed), (ListenerId::from_uuid(other), 0));
    assert_eq!(venue.hub.viewer_votes(&phone), vec![]);
}

#[tokio::test]
async fn a_ticket_is_good_once_here_and_for_minutes() {
    let venue = enrolled(1).await;
    let (ana, ben) = (venue.check_in("ana").await, venue.check_in("ben").await);
    let refused = async |who: &Viewer, ticket: &str| {
        let answer = venue.hub.sign_in(who, wish(ticket, true)).await;
        assert!(matches!(answer, Err(SignInError::BadTicket)), "{answer:?}");
    };
    let now = venue.hub.cloud_now();
    refused(&ana, &ticket_of(PROFILE, VenueId(Uuid::from_u128(78)), now, &cloud_key())).await;
    refused(&ana, &ticket_of(PROFILE, here(), now, &SigningKey::from_seed(&[8; 32]).unwrap())).await;
    refused(&ana, "none").await;
    let (late, taken) = (good(&venue, PROFILE), good(&venue, PROFILE));
    let first = wish(&taken, true);
    let answer = venue.hub.sign_in(&ana, first.clone()).await.unwrap();
    assert_eq!(venue.hub.sign_in(&ana, first).await.unwrap(), answer, "a repetition is answered as before");
    refused(&ben, &taken).await;
    venue.clock.advance(Duration::from_mins(11));
    refused(&ben, &late).await;
}

#[tokio::test]
async fn a_venue_without_a_cloud_has_guests_only() {
    let venue = Venue::with_songs(1).await;
    let guest = venue.check_in("ana").await;
    let ticket = good(&venue, PROFILE);
    let answer = venue.hub.sign_in(&guest, wish(&ticket, true)).await;
    assert!(matches!(answer, Err(SignInError::NoAccounts)), "{answer:?}");
    venue.hub.check_out(&guest, key()).await.unwrap();
    let answer = venue.hub.sign_in(&guest, wish(&ticket, true)).await;
    assert!(matches!(answer, Err(SignInError::NotHere(NoViewer::Expired))), "{answer:?}");
}
