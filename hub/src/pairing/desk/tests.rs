use std::time::Duration;

use super::super::exchange::tests::Player;
use super::*;
use crate::hub::tests::venue::Venue;
use crate::players::Way;

const KEY: HubKey = HubKey([5; 32]);

async fn by_digits(hub: &Hub, digits: &[u8], name: &str) -> Result<AddedPlayer, PairError> {
    let (player, message) = Player::begin(digits, KEY);
    let (attempt, answered) = hub.begin_pairing(name, &message, KEY)?;
    let shared = player.finish(&answered);
    let (added, hubs_proof) = hub.finish_pairing(&attempt, &shared.players_proof()).await?;
    assert_eq!(hubs_proof, shared.hubs_proof());
    Ok(added)
}

fn shut<T: std::fmt::Debug>(outcome: Result<T, PairError>) -> Shut {
    match outcome.unwrap_err() {
        PairError::Shut(shut) => shut,
        PairError::Player(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_player_comes_in_by_the_digits_or_the_token_and_closes_the_window() {
    let venue = Venue::empty().await;
    let hub = &venue.hub;
    let shown = hub.open_pairing(Meant::default());
    let mut news = hub.pairing_news();
    let bar = by_digits(hub, &shown.digits.0, "bar").await.unwrap();
    assert!(bar.player.paired);
    assert_eq!(hub.player_showing(&bar.token, Way::Tls).await, Some(bar.player.id));
    assert_eq!(hub.player_by_token(&bar.token), None, "a paired secret opens nothing over plain HTTP");
    assert!(hub.lease(&bar.token, Way::Plain).is_none());
    assert_eq!(news.borrow_and_update().paired.as_ref().unwrap().name, "bar");
    assert_eq!(shut(by_digits(hub, &shown.digits.0, "bar").await), Shut::Closed);
    let shown = hub.open_pairing(Meant::default());
    let second = hub.pair_by_token("bar", &shown.token.0).await.unwrap();
    assert_eq!(second.player.name, "bar 2", "a name that is taken gets a number");
    assert_eq!(shut(hub.pair_by_token("bar", &shown.token.0).await), Shut::Closed);
}

#[tokio::test]
async fn ten_thousand_guesses_at_once_are_five() {
    let venue = Venue::empty().await;
    let shown = venue.hub.open_pairing(Meant::default());
    let mut wrong = shown.digits.0;
    wrong[7] = b'0' + (wrong[7] - b'0' + 1) % 10;
    let mut guesses = tokio::task::JoinSet::new();
    for _ in 0..10_000 {
        let hub = venue.hub.clone();
        guesses.spawn(async move { shut(by_digits(&hub, &wrong, "intruder").await) });
    }
    let outcomes = guesses.join_all().await;
    let counted = outcomes.iter().filter(|shut| **shut == Shut::Wrong).count();
    assert_eq!((outcomes.len(), counted), (10_000, 5));
    assert!(outcomes.iter().all(|shut| matches!(shut, Shut::Wrong | Shut::UsedUp)));
    assert!(venue.hub.player_states().is_empty());
    assert_eq!(shut(by_digits(&venue.hub, &shown.digits.0, "bar").await), Shut::UsedUp, "too late");
    assert_eq!(venue.hub.pairing_news().borrow().tries_left, 0);
}

#[tokio::test]
async fn of_many_who_know_the_digits_or_the_token_one_comes_in() {
    let venue = Venue::empty().await;
    let shown = venue.hub.open_pairing(Meant::default());
    let mut guesses = tokio::task::JoinSet::new();
    for number in 0..50 {
        let (hub, digits, token) = (venue.hub.clone(), shown.digits.0, shown.token.0);
        guesses.spawn(async move {
            if number % 2 == 0 {
                by_digits(&hub, &digits, "bar").await.is_ok()
            } else {
                hub.pair_by_token("bar", &token).await.is_ok()
            }
        });
    }
    let came_in = guesses.join_all().await.into_iter().filter(|came_in| *came_in).count();
    assert_eq!((came_in, venue.hub.player_states().len()), (1, 1));
}

#[tokio::test]
async fn what_was_begun_in_one_window_is_worth_nothing_in_the_next_nor_twice() {
    let venue = Venue::empty().await;
    let hub = &venue.hub;
    let shown = hub.open_pairing(Meant::default());
    let (player, message) = Player::begin(&shown.digits.0, KEY);
    let (attempt, answered) = hub.begin_pairing("bar", &message, KEY).unwrap();
    let proof = player.finish(&answered).players_proof();
    hub.open_pairing(Meant::default());
    assert_eq!(shut(hub.finish_pairing(&attempt, &proof).await), Shut::Wrong);
    let shown = hub.open_pairing(Meant::default());
    let (player, message) = Player::begin(&shown.digits.0, KEY);
    let (attempt, answered) = hub.begin_pairing("bar", &message, KEY).unwrap();
    let proof = player.finish(&answered).players_proof();
    assert_eq!(shut(hub.finish_pairing(&attempt, &[0; 32]).await), Shut::Wrong);
    assert_eq!(shut(hub.finish_pairing(&attempt, &proof).await), Shut::Wrong, "each exchange is proven once");
    hub.close_pairing(shown.id);
    assert_eq!(shut(by_digits(hub, &shown.digits.0, "bar").await), Shut::Closed);
    assert!(!hub.pairing_news().borrow().is_open);
}

#[tokio::test]
async fn a_window_meant_for_a_name_gives_it_and_replaces_the_secret_of_whoever_has_it() {
    let venue = Venue::empty().await;
    let hub = &venue.hub;
    let meant = || Meant { name: Some("bar".to_owned()), zone: None };
    let shown = hub.open_pairing(meant());
    let first = hub.pair_by_token("something else", &shown.token.0).await.unwrap();
    assert_eq!(first.player.name, "bar");
    let lease = hub.lease(&first.token, Way::Tls).unwrap();
    let shown = hub.open_pairing(meant());
    let second = by_digits(hub, &shown.digits.0, "box").await.unwrap();
    assert_eq!((second.player.id, second.player.name.as_str()), (first.player.id, "bar"));
    assert!(lease.is_cancelled(), "whoever is connected with the secret before is let go");
    assert_eq!(hub.player_showing(&first.token, Way::Tls).await, None);
    let venue = venue.restart().await;
    assert_eq!(venue.hub.player_showing(&second.token, Way::Tls).await, Some(first.player.id));
    assert_eq!(venue.hub.player_showing(&first.token, Way::Tls).await, None);
}

#[tokio::test]
async fn a_name_that_nobody_could_keep_costs_no_try() {
    let venue = Venue::empty().await;
    let shown = venue.hub.open_pairing(Meant::default());
    for name in ["", " ", "a\nb", &"x".repeat(61)] {
        let refused = venue.hub.pair_by_token(name, &shown.token.0).await.unwrap_err();
        assert!(matches!(refused, PairError::Player(AddPlayerError::BadName)), "{name:?}");
    }
    assert_eq!(venue.hub.pairing().unwrap().tries_left, TRIES);
    venue.clock.advance(Duration::from_mins(10));
    assert!(venue.hub.pairing().is_none());
}

#[tokio::test]
async fn a_new_secret_counts_beside_the_old_one_until_it_is_shown() {
    let venue = Venue::empty().await;
    let hub = &venue.hub;
    let shown = hub.open_pairing(Meant::default());
    let bar = hub.pair_by_token("bar", &shown.token.0).await.unwrap();
    let id = Some(bar.player.id);
    let lost = hub.offer_secret(bar.player.id).await.unwrap();
    let next = hub.offer_secret(bar.player.id).await.unwrap();
    assert_eq!(
        hub.player_showing(&lost, Way::Tls).await,
        None,
        "the answer was lost: a newer one replaces it"
    );
    assert_eq!(hub.player_showing(&bar.token, Way::Tls).await, id);
    let lease = hub.lease(&bar.token, Way::Tls).unwrap();
    let venue = venue.restart().await;
    let hub = &venue.hub;
    assert!(!lease.is_cancelled() || hub.player_showing(&bar.token, Way::Tls).await == id);
    assert_eq!(hub.player_showing(&next, Way::Plain).await, None);
    assert_eq!(
        hub.player_showing(&bar.token, Way::Tls).await,
        id,
        "showing it in the open is not showing it"
    );
    assert_eq!(hub.player_showing(&next, Way::Tls).await, id);
    assert_eq!(hub.player_showing(&bar.token, Way::Tls).await, None, "the new one was shown");
    let venue = venue.restart().await;
    assert_eq!(venue.hub.player_showing(&next, Way::Tls).await, id);
    assert_eq!(venue.hub.player_showing(&bar.token, Way::Tls).await, None);
}

#[tokio::test]
async fn a_player_that_was_taken_out_opens_nothing_and_is_let_go() {
    let venue = Venue::with_songs(3).await;
    let shown = venue.hub.open_pairing(Meant::default());
    let bar = venue.hub.pair_by_token("bar", &shown.token.0).await.unwrap();
    venue.claim(bar.player.id).await;
    let lease = venue.hub.lease(&bar.token, Way::Tls).unwrap();
    venue.hub.remove_player(bar.player.id).await.unwrap();
    assert!(lease.is_cancelled());
    let venue = venue.restart().await;
    assert_eq!(venue.hub.player_showing(&bar.token, Way::Tls).await, None);
    assert!(venue.hub.player_states().is_empty());
}
