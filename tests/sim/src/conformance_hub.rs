//! What every [`HubStore`] must do, whatever it is made of.

use roomtone_sync::store::HubStore;
use roomtone_sync::wire::{Cursor, Row, Scope};
use roomtone_sync::{chain, digest};

fn sums(rows: &[Row]) -> Vec<digest::Sum> {
    digest::of_rows(rows.iter().map(|row| (row.kind.as_str(), row.pk, row.seq)))
}

/// Facts come in order, linked to what is before them, and are acknowledged; a cloud that was put back may take that back.
/// The store has at least four facts, and has never been acknowledged anything.
pub async fn facts_come_in_order_and_linked<S: HubStore>(store: &S) {
    let state = store.state().await.expect("a state");
    assert_eq!((state.acked, state.oldest, state.acked_chain), (0, 1, Some(chain::BEGINNING)));
    assert!(state.last_seq >= 4);
    let (before, facts) = store.facts_after(0, 3, usize::MAX).await.expect("facts");
    assert_eq!((before, facts.len()), (chain::BEGINNING, 3));
    let (link, rest) = store.facts_after(3, 500, usize::MAX).await.expect("facts");
    assert_eq!(link, chain::link_behind(&before, &facts), "the chain");
    assert_eq!(rest.len() as i64, state.last_seq - 3);
    let (_, small) = store.facts_after(0, 500, 1).await.expect("facts");
    assert!(!small.is_empty() && small.len() < 4, "a bound of bytes, but never nothing");
    store.acknowledge(3, vec![]).await.expect("acknowledged");
    store.acknowledge(2, vec![]).await.expect("an older answer");
    let acked = store.state().await.expect("a state");
    assert_eq!((acked.acked, acked.acked_chain), (3, Some(link)));
    store.go_on_from(acked.epoch + 1, 1).await.expect("another epoch");
    let back = store.state().await.expect("a state");
    assert_eq!((back.epoch, back.acked, back.last_seq), (acked.epoch + 1, 1, state.last_seq));
}

/// A page is applied once, and only where the cursor is. `rows` are some rows of `scope`, with the versions 1, 2, ...
pub async fn a_page_is_applied_once<S: HubStore>(store: &S, scope: Scope, rows: &[Row]) {
    let to = Cursor { seq: rows.len() as i64, tag: 7 };
    store.apply(scope, Cursor::default(), to, rows.to_vec()).await.expect("applied");
    assert_eq!(store.digest(scope).await.expect("a digest"), sums(rows));
    let gone = vec![Row { body: None, seq: 1, ..rows[0].clone() }];
    store.apply(scope, Cursor::default(), Cursor { seq: 1, tag: 1 }, gone).await.expect("not applied");
    assert_eq!(store.digest(scope).await.expect("a digest"), sums(rows), "the cursor is elsewhere");
    let cursors = store.state().await.expect("a state").cursors;
    assert!(cursors.contains(&(scope, to)));
    let next = Cursor { seq: to.seq + 1, tag: 8 };
    let gone = vec![Row { body: None, seq: next.seq, ..rows[0].clone() }];
    store.apply(scope, to, next, gone).await.expect("applied");
    assert_eq!(store.digest(scope).await.expect("a digest"), sums(&rows[1..]), "a row is gone");
}

/// What is collected is seen by nobody until it is put in place. As [`a_page_is_applied_once`], with at least two rows.
pub async fn what_is_staged_is_not_seen<S: HubStore>(store: &S, scope: Scope, rows: &[Row]) {
    let at = Cursor { seq: rows.len() as i64, tag: 9 };
    let nothing = store.digest(scope).await.expect("a digest");
    assert_eq!(store.stage(scope, "one".to_owned()).await.expect("staged"), 0);
    store.stage_part(scope, 0, rows[..1].to_vec()).await.expect("a part");
    assert_eq!(store.stage(scope, "one".to_owned()).await.expect("staged"), 1, "it is kept");
    assert_eq!(store.stage(scope, "two".to_owned()).await.expect("staged"), 0, "it is dropped");
    store.stage_part(scope, 0, rows[..1].to_vec()).await.expect("a part");
    store.stage_part(scope, 1, rows[1..].to_vec()).await.expect("a part");
    assert_eq!(store.digest(scope).await.expect("a digest"), nothing);
    store.unstage(scope, at, true).await.expect("in place");
    assert_eq!(store.digest(scope).await.expect("a digest"), sums(rows));
    assert!(store.state().await.expect("a state").cursors.contains(&(scope, at)));
    store.stage(scope, "three".to_owned()).await.expect("staged");
    store.stage_part(scope, 0, rows[..1].to_vec()).await.expect("a part");
    store.unstage(scope, at, true).await.expect("in place");
    assert_eq!(
        store.digest(scope).await.expect("a digest"),
        sums(&rows[..1]),
        "what was not collected is gone"
    );
}

/// Rows are replaced by bucket, and others stay, also where what comes is older. As [`a_page_is_applied_once`].
pub async fn buckets_are_replaced<S: HubStore>(store: &S, scope: Scope, rows: &[Row]) {
    let at = Cursor { seq: rows.len() as i64 + 50, tag: 3 };
    let newer: Vec<Row> = rows.iter().map(|row| Row { seq: row.seq + 50, ..row.clone() }).collect();
    store.apply(scope, Cursor::default(), at, newer.clone()).await.expect("applied");
    let bucket = digest::bucket_of(rows[0].pk);
    let is_of_it = |row: &&Row| digest::bucket_of(row.pk) == bucket;
    let back = Cursor { seq: rows.len() as i64, tag: 4 };
    let of_it: Vec<Row> = rows.iter().filter(is_of_it).cloned().collect();
    store.replace(scope, vec![], vec![bucket], of_it.clone(), Some(back)).await.expect("replaced");
    let others = newer.iter().filter(|row| !is_of_it(row)).cloned();
    let expected: Vec<Row> = of_it.into_iter().chain(others).collect();
    assert_eq!(store.digest(scope).await.expect("a digest"), sums(&expected));
    assert!(store.state().await.expect("a state").cursors.contains(&(scope, back)));
}
