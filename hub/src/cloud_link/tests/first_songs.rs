//! What an empty hub plays while its first catalogue is still on its way.

use super::*;

/// All songs are the venue's, and their files are here.
async fn waiting(venue: &Venue) -> SqliteStore {
    let store = link_of(venue).await;
    (1..=4).for_each(|number| put_file(venue, number));
    let all = (1..=4).map(|number| enabled(number, number as i64, true)).collect();
    store.apply(venue_scope(), at(0), at(4), all).await.unwrap();
    store
}

fn cursor_of_the_catalogue(state: &roomtone_sync::store::LinkState) -> Option<Cursor> {
    state.cursors.iter().find(|(scope, _)| *scope == catalogue()).map(|(_, cursor)| *cursor)
}

#[tokio::test]
async fn an_empty_hub_plays_from_the_first_chunk_and_is_whole_in_the_end() {
    let venue = Venue::empty().await;
    let store = waiting(&venue).await;
    assert_eq!(store.stage(catalogue(), "one".to_owned()).await.unwrap(), 0);
    store.stage_part(catalogue(), 0, vec![song(1, 1), song(2, 2)]).await.unwrap();
    assert_eq!(playable(&venue).await, [1, 2].map(song_id), "before the rest has come");
    let player = venue.player("bar").await.player.id;
    assert!([1, 2].map(song_id).contains(&venue.claim(player).await.pick.song.id));
    assert_eq!(cursor_of_the_catalogue(&store.state().await.unwrap()), None, "this is not all of it");
    // The line is cut, and the hub with it.
    drop(store);
    let venue = venue.restart().await;
    let store = link_of(&venue).await;
    assert_eq!(playable(&venue).await, [1, 2].map(song_id), "nor does a restart take them");
    assert_eq!(
        store.stage(catalogue(), "one".to_owned()).await.unwrap(),
        1,
        "the chunk is not fetched again"
    );
    store.stage_part(catalogue(), 1, vec![song(3, 3), song(4, 4)]).await.unwrap();
    store.unstage(catalogue(), at(20), true).await.unwrap();
    assert_eq!(playable(&venue).await, [1, 2, 3, 4].map(song_id));
    let rows = (1..=4).map(|number| ("song", pk(number), number as i64));
    assert_eq!(store.digest(catalogue()).await.unwrap(), digest::of_rows(rows));
    assert_eq!(cursor_of_the_catalogue(&store.state().await.unwrap()), Some(at(20)));
    assert_eq!(store.scrub(100).await.unwrap(), 0);
}

/// The snapshot that was begun is not there any more; the one that is has a song less, and another title under a number
/// that was used.
#[tokio::test]
async fn what_an_earlier_snapshot_has_left_behind_goes_with_the_whole() {
    let venue = Venue::empty().await;
    let store = waiting(&venue).await;
    store.stage(catalogue(), "one".to_owned()).await.unwrap();
    store.stage_part(catalogue(), 0, vec![song(1, 1), song(2, 2)]).await.unwrap();
    assert_eq!(store.stage(catalogue(), "two".to_owned()).await.unwrap(), 0);
    let renamed = CatalogueSong { title: "As it is called now".to_owned(), ..noun(2) };
    store.stage_part(catalogue(), 0, vec![row(Kind::Song, pk(2), 2, &renamed)]).await.unwrap();
    assert_eq!(venue.hub.song(song_id(2)).unwrap().facts.title, "As it is called now");
    store.unstage(catalogue(), at(9), true).await.unwrap();
    assert_eq!(playable(&venue).await, [song_id(2)]);
    assert_eq!(store.digest(catalogue()).await.unwrap(), digest::of_rows([("song", pk(2), 2)]));
}

#[tokio::test]
async fn a_hub_with_songs_of_its_own_never_gets_half_a_catalogue() {
    let mut venue = Venue::empty().await;
    let own = venue.add(Some([0.1, 0.2, 0.3, 0.4, 0.5])).await;
    let store = waiting(&venue).await;
    store.stage(catalogue(), "one".to_owned()).await.unwrap();
    store.stage_part(catalogue(), 0, vec![song(1, 1), song(2, 2)]).await.unwrap();
    assert_eq!(playable(&venue).await, [own]);
    store.unstage(catalogue(), at(9), true).await.unwrap();
    let mut all = [own, song_id(1), song_id(2)];
    all.sort_unstable();
    assert_eq!(playable(&venue).await, all);
}
