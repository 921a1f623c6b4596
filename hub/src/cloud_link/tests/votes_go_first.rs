//! No vote waits for a catalogue.

use super::*;

const SONGS: u128 = 20_000;

/// A vote that begins when a part of the rows is in place is answered before the rest is: were they one transaction, there
/// would be no such moment.
#[tokio::test]
async fn a_vote_is_answered_while_a_large_page_is_being_applied() {
    let venue = Venue::with_songs(2).await;
    let ana = venue.check_in("ana").await;
    let store = link_of(&venue).await;
    let nothing = store.digest(catalogue()).await.unwrap();
    let page: Vec<Row> = (1..=SONGS).map(|number| song(number, number as i64)).collect();
    let end = at(SONGS as i64);
    let under_way = async || {
        let has_begun = store.digest(catalogue()).await.unwrap() != nothing;
        has_begun && !store.state().await.unwrap().cursors.contains(&(catalogue(), end))
    };
    let voting = async {
        loop {
            if under_way().await {
                venue.vote(&ana, venue.songs[0], VoteValue::Like).await.unwrap();
                if under_way().await {
                    break;
                }
            }
            tokio::task::yield_now().await;
        }
    };
    let applying = store.apply(catalogue(), at(0), end, page);
    tokio::pin!(applying);
    tokio::select! {
        done = &mut applying => panic!("no vote came in between: {done:?}"),
        () = voting => {}
    }
    applying.await.unwrap();
    assert!(store.state().await.unwrap().cursors.contains(&(catalogue(), end)));
}
