use std::time::Duration;

use futures_util::FutureExt as _;
use roomtone_schema::id::Id as _;

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
async fn digits_that_the_cloud_has_drawn_are_good_for_what_is_left_of_their_time() {
    let venue = Venue::empty().await;
    let digits = Digits(*b"00424711");
    let left = Duration::from_secs(40);
    let shown = venue.hub.open_pairing_with(Meant::default(), digits, left);
    assert_eq!((shown.digits, shown.digits_for, shown.tries_left), (digits, left, TRIES));
    let bar = by_digits(&venue.hub, b"00424711", "bar").await.unwrap();
    assert_eq!(
        venue.hub.pairing_news().borrow().paired.as_ref().map(|paired| paired.player),
        Some(bar.player.id)
    );
    let long = venue.hub.open_pairing_with(Meant::default(), digits, Duration::from_hours(9));
    assert_eq!(long.digits_for, DIGITS_LAST, "never for longer than our own");
    venue.hub.open_pairing_with(Meant::default(), digits, left);
    venue.pass(left).await;
    assert_eq!(shut(by_digits(&venue.hub, b"00424711", "late").await), Shut::UsedUp);
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
    for name in ["", " ", "a\nb", "bar\u{202e}", "a\u{200f}b", "\u{2066}bar", &"x".repeat(61)] {
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
    let lost = hub.offer_secret(bar.player.id, &bar.token).await.unwrap().unwrap();
    let next = hub.offer_secret(bar.player.id, &bar.token).await.unwrap().unwrap();
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

/// What nobody waits for in the hub's own code has to come all the same.
async fn soon<T>(awaited: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), awaited).await.expect("it comes within 30 s")
}

fn meant_for_bar() -> Meant {
    Meant { name: Some("bar".to_owned()), zone: None }
}

#[tokio::test]
async fn a_secret_that_counts_no_longer_gets_no_new_one() {
    let venue = Venue::empty().await;
    let hub = &venue.hub;
    let shown = hub.open_pairing(meant_for_bar());
    let stolen = hub.pair_by_token("bar", &shown.token.0).await.unwrap();
    let (id, offered) = (stolen.player.id, hub.offer_secret(stolen.player.id, &stolen.token).await.unwrap());
    let shown = hub.open_pairing(meant_for_bar());
    let bar = hub.pair_by_token("bar", &shown.token.0).await.unwrap();
    // As a request does that had shown its secret before the player was paired again.
    assert_eq!(hub.offer_secret(id, &stolen.token).await.unwrap(), None);
    assert_eq!(hub.player_showing(&offered.unwrap(), Way::Tls).await, None);
    let terminal = venue.player("terminal").await;
    let of_terminal = hub.offer_secret(terminal.player.id, &terminal.token).await.unwrap();
    assert_eq!(of_terminal, None, "a terminal's token is the operator's to change");
    let venue = venue.restart().await;
    let next = venue.hub.offer_secret(id, &bar.token).await.unwrap().unwrap();
    assert_eq!(venue.hub.player_showing(&next, Way::Tls).await, Some(id));
    assert_eq!(venue.hub.offer_secret(id, &bar.token).await.unwrap(), None, "the new one was shown");
}

#[tokio::test]
async fn of_two_secrets_offered_at_once_the_same_counts_before_and_after_a_restart() {
    let venue = Venue::empty().await;
    let shown = venue.hub.open_pairing(Meant::default());
    let bar = venue.hub.pair_by_token("bar", &shown.token.0).await.unwrap();
    let id = bar.player.id;
    let offer = || venue.hub.offer_secret(id, &bar.token);
    let (one, other) = tokio::join!(offer(), offer());
    let offered = [one.unwrap().unwrap(), other.unwrap().unwrap()];
    let leases = offered.clone().map(|secret| venue.hub.lease(&secret, Way::Tls).is_some());
    assert_ne!(leases[0], leases[1], "one of them counts");
    let venue = venue.restart().await;
    assert_eq!(offered.map(|secret| venue.hub.lease(&secret, Way::Tls).is_some()), leases);
}

#[tokio::test]
async fn an_offer_and_the_first_showing_of_another_end_alike_here_and_on_the_disk() {
    let venue = Venue::empty().await;
    let shown = venue.hub.open_pairing(Meant::default());
    let bar = venue.hub.pair_by_token("bar", &shown.token.0).await.unwrap();
    let id = bar.player.id;
    let first = venue.hub.offer_secret(id, &bar.token).await.unwrap().unwrap();
    let (second, opened) =
        tokio::join!(venue.hub.offer_secret(id, &bar.token), venue.hub.player_showing(&first, Way::Tls));
    let second = second.unwrap();
    assert_ne!(opened.is_some(), second.is_some(), "either the first counts alone or the second replaced it");
    let secrets = [Some(bar.token), Some(first), second];
    let counting = |venue: &Venue| {
        let counts = |secret: &Option<String>| {
            secret.as_ref().is_some_and(|secret| venue.hub.lease(secret, Way::Tls).is_some())
        };
        secrets.each_ref().map(counts)
    };
    let before = counting(&venue);
    let venue = venue.restart().await;
    assert_eq!(counting(&venue), before);
}

#[tokio::test]
async fn a_removal_and_a_pairing_are_done_whole_though_nobody_waits() {
    let venue = Venue::with_songs(3).await;
    let hub = &venue.hub;
    let shown = hub.open_pairing(meant_for_bar());
    let bar = hub.pair_by_token("bar", &shown.token.0).await.unwrap();
    let shown = hub.open_pairing(meant_for_bar());
    assert!(hub.pair_by_token("bar", &shown.token.0).now_or_never().is_none());
    let mut news = hub.pairing_news();
    soon(news.wait_for(|news| news.paired.is_some())).await.unwrap();
    assert_eq!(hub.player_showing(&bar.token, Way::Tls).await, None, "it was paired again");
    let shown = hub.open_pairing(meant_for_bar());
    let bar = hub.pair_by_token("bar", &shown.token.0).await.unwrap();
    venue.claim(bar.player.id).await;
    let lease = hub.lease(&bar.token, Way::Tls).unwrap();
    assert!(hub.remove_player(bar.player.id).now_or_never().is_none());
    assert_eq!(hub.player_showing(&bar.token, Way::Tls).await, None);
    soon(lease.cancelled()).await;
    let venue = venue.restart().await;
    assert!(venue.hub.player_states().is_empty());
}

#[tokio::test]
async fn a_managers_token_is_void_though_nobody_waits_for_the_next() {
    let venue = Venue::empty().await;
    let token = venue.hub.mint_manager_token().await.unwrap();
    let lease = venue.hub.lease(&token, Way::Tls).unwrap();
    assert!(venue.hub.mint_manager_token().now_or_never().is_none());
    soon(lease.cancelled()).await;
    assert!(!venue.hub.is_manager_token(&token));
}

#[tokio::test]
async fn a_player_that_could_not_be_taken_out_goes_on_as_it_was() {
    let venue = Venue::empty().await;
    let bar = venue.player("bar").await;
    let lease = venue.hub.lease(&bar.token, Way::Plain).unwrap();
    let store = venue.hub.store().clone();
    tokio::task::spawn_blocking(move || store.close()).await.unwrap();
    venue.hub.remove_player(bar.player.id).await.unwrap_err();
    assert_eq!(venue.hub.player_by_token(&bar.token), Some(bar.player.id));
    assert!(!lease.is_cancelled());
    assert_eq!(venue.hub.players().borrow().len(), 1);
}

#[tokio::test]
async fn a_window_that_was_closed_while_its_player_came_in_does_not_open_again() {
    let venue = Venue::empty().await;
    let hub = &venue.hub;
    let nowhere = || Meant { name: None, zone: Some(ZoneId::mint(hub.now(), [9; 10])) };
    let shown = hub.open_pairing(nowhere());
    hub.pair_by_token("bar", &shown.token.0).await.unwrap_err();
    assert_eq!(hub.pairing().map(|open| open.id), Some(shown.id), "its opener still shows it");
    let mut coming = Box::pin(hub.pair_by_token("bar", &shown.token.0));
    assert!(coming.as_mut().now_or_never().is_none());
    hub.close_pairing(shown.id);
    coming.await.unwrap_err();
    assert!(hub.pairing().is_none());
}

#[tokio::test]
async fn a_secret_is_not_shown_by_accident() {
    let venue = Venue::empty().await;
    let bar = venue.player("bar").await;
    assert!(!format!("{bar:?}").contains(&bar.token));
}
