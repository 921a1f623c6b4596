//! What every [`CloudStore`] must do, whatever it is made of. Each check begins with a hub that has never said hello.

use roomtone_schema::id::Id as _;
use roomtone_schema::{BootId, UnixMillis};
use roomtone_sync::store::{CloudStore, KnownHub};
use roomtone_sync::wire::{
    Cursor, Fact, Facts, Hello, ProblemCode, PullAsk, Push, Row, RowsAsk, Scope, Stamp, Standing,
};
use roomtone_sync::{chain, digest};
use serde_bytes::ByteArray;
use uuid::Uuid;

/// The hello of a hub that has told nothing yet.
pub fn hello(instance: Uuid) -> Hello {
    Hello {
        epoch: 1,
        instance,
        predecessor: None,
        moved: false,
        last_seq: 9,
        acked: 0,
        oldest: 1,
        acked_chain: Some(ByteArray::new(chain::BEGINNING)),
        forked: false,
        now: Stamp { boot: BootId::from_uuid(Uuid::from_u128(1)), mono_ms: 5, wall_ms: 5 },
        steady_ms: 5,
        software: "conformance".to_owned(),
        pending: 9,
        zones: vec![],
        players: vec![],
        rooms: vec![],
        guests_cut_off: false,
    }
}

fn fact(number: u64) -> Fact {
    Fact {
        // Of a kind that no cloud knows: whatever becomes of it, it is taken.
        kind: "conformance".to_owned(),
        payload: format!("{{\"number\":{number}}}").into_bytes(),
        hlc: number << 16,
        boot: BootId::from_uuid(Uuid::from_u128(1)),
        mono_ms: 5,
        wall_ms: 5,
    }
}

/// A push of facts with these numbers in their payloads.
pub fn push(instance: Uuid, epoch: i64, first_seq: i64, before: [u8; 32], numbers: &[u64]) -> Push {
    let facts: Vec<Fact> = numbers.iter().map(|number| fact(*number)).collect();
    let facts = Facts::of(&facts).expect("few kinds");
    Push { epoch, instance, first_seq, before: ByteArray::new(before), facts }
}

fn link(numbers: &[u64]) -> [u8; 32] {
    let facts: Vec<Fact> = numbers.iter().map(|number| fact(*number)).collect();
    chain::link_behind(&chain::BEGINNING, &facts)
}

async fn code<S: CloudStore>(store: &S, hub: &KnownHub, push: Push, now: UnixMillis) -> Option<ProblemCode> {
    store.push(hub, push, now).await.err().map(|problem| problem.code)
}

/// Facts are taken once, in order, from the run that holds the lease; nothing else is taken.
pub async fn facts_are_taken_once_and_in_order<S: CloudStore>(store: &S, hub: &KnownHub, now: UnixMillis) {
    let (one, other) = (Uuid::from_u128(11), Uuid::from_u128(12));
    let early = code(store, hub, push(one, 1, 1, chain::BEGINNING, &[1]), now).await;
    assert_eq!(early, Some(ProblemCode::Epoch), "nobody pushes before a hello");
    let answer = store.hello(hub, hello(one), now).await.expect("a hello is answered");
    assert_eq!((answer.standing, answer.epoch, answer.ack), (Standing::Welcome, 1, 0));
    let first = push(one, 1, 1, chain::BEGINNING, &[1, 2, 3]);
    assert_eq!(store.push(hub, first.clone(), now).await.expect("facts are taken").ack, 3);
    assert_eq!(store.push(hub, first, now).await.expect("the same again is no harm").ack, 3);
    let gap = store.push(hub, push(one, 1, 5, link(&[1, 2, 3]), &[5]), now).await.expect_err("a hole");
    assert_eq!((gap.code, gap.ack), (ProblemCode::Gap, Some(3)));
    let fork = code(store, hub, push(one, 1, 2, link(&[1]), &[77]), now).await;
    assert_eq!(fork, Some(ProblemCode::Fork), "another fact under a number that is taken");
    let torn = code(store, hub, push(one, 1, 4, link(&[7]), &[4]), now).await;
    assert_eq!(torn, Some(ProblemCode::Fork), "facts behind other ones");
    assert_eq!(
        code(store, hub, push(one, 2, 4, link(&[1, 2, 3]), &[4]), now).await,
        Some(ProblemCode::Epoch)
    );
    assert_eq!(
        code(store, hub, push(other, 1, 4, link(&[1, 2, 3]), &[4]), now).await,
        Some(ProblemCode::Fenced)
    );
    let both = push(one, 1, 3, link(&[1, 2]), &[3, 4, 5]);
    assert_eq!(store.push(hub, both, now).await.expect("what overlaps is taken where it is new").ack, 5);
}

/// A second box is fenced off, a fork and a rewind lead to a new epoch.
pub async fn lives_of_a_database_are_told_apart<S: CloudStore>(store: &S, hub: &KnownHub, now: UnixMillis) {
    let (one, other) = (Uuid::from_u128(21), Uuid::from_u128(22));
    store.hello(hub, hello(one), now).await.expect("a hello is answered");
    store.push(hub, push(one, 1, 1, chain::BEGINNING, &[1, 2, 3]), now).await.expect("facts are taken");
    let copy = Hello { moved: true, predecessor: Some(one), ..hello(other) };
    let fenced = store.hello(hub, copy, now).await.expect("a copy is answered");
    assert_eq!(fenced.standing, Standing::Fenced);
    let again = Hello { acked: 3, acked_chain: Some(ByteArray::new(link(&[1, 2, 3]))), ..hello(one) };
    let same = store.hello(hub, again.clone(), now).await.expect("a hello is answered");
    assert_eq!((same.epoch, same.ack), (1, 3));
    let forked = store.hello(hub, Hello { forked: true, ..again }, now).await.expect("a fork is answered");
    assert_eq!(forked.epoch, 2);
    let before = if forked.ack == 0 { chain::BEGINNING } else { link(&[1, 2, 3]) };
    let told = push(one, 2, forked.ack + 1, before, &[8, 9]);
    assert_eq!(store.push(hub, told, now).await.expect("the new epoch goes on").ack, forked.ack + 2);
    let short = Hello { epoch: 2, last_seq: 1, acked: 1, acked_chain: None, ..hello(one) };
    let rewound = store.hello(hub, short, now).await.expect("a rewind is answered");
    assert_eq!(rewound.epoch, 3);
}

/// Pages follow each other without a hole; a cursor of another feed is refused; digests are those of the rows. The feed of
/// `scope` has at least three changes.
pub async fn a_feed_is_read_without_a_hole<S: CloudStore>(store: &S, hub: &KnownHub, scope: Scope) {
    let (mut from, mut pages) = (Cursor::default(), 0);
    loop {
        let page = store.pull(hub, PullAsk { scope, from, limit: 1 }).await.expect("a page");
        assert_eq!((page.scope, page.from, page.changes), (scope, from, page.to.seq - from.seq));
        assert!(page.rows.len() as i64 <= page.changes);
        if page.to == from {
            assert_eq!(page.head, from.seq, "it leads nowhere though there is more");
            break;
        }
        (from, pages) = (page.to, pages + 1);
    }
    assert!(pages >= 3, "the feed has only {pages} pages of one change");
    let refused = async |from| {
        let answered = store.pull(hub, PullAsk { scope, from, limit: 1 }).await;
        answered.err().map(|problem| problem.code)
    };
    let (other, beyond) = (Cursor { tag: from.tag ^ 1, ..from }, Cursor { seq: from.seq + 1, ..from });
    assert_eq!(refused(other).await, Some(ProblemCode::Diverged), "the same number of another feed");
    assert_eq!(refused(beyond).await, Some(ProblemCode::Diverged), "a number that was never given");
}

/// Rows by where they are kept are all rows, page by page, and add up to the digest.
pub async fn rows_add_up_to_the_digest<S: CloudStore>(store: &S, hub: &KnownHub, scope: Scope) {
    let ask = |after, limit, buckets| RowsAsk { scope, kinds: vec![], buckets, after, limit };
    let all = store.rows(hub, ask(None, 5_000, vec![])).await.expect("rows");
    assert!(!all.more && !all.rows.is_empty());
    let mut one_by_one: Vec<Row> = Vec::new();
    loop {
        let after = one_by_one.last().map(|row| (row.kind.clone(), row.pk));
        let page = store.rows(hub, ask(after, 1, vec![])).await.expect("rows");
        one_by_one.extend(page.rows);
        if !page.more {
            break;
        }
    }
    assert_eq!(one_by_one, all.rows);
    let told = store.digest(hub, scope).await.expect("a digest");
    let sums = digest::of_rows(all.rows.iter().map(|row| (row.kind.as_str(), row.pk, row.seq)));
    assert_eq!(told.buckets.iter().map(|sum| **sum).collect::<Vec<_>>(), sums);
    let bucket = digest::bucket_of(all.rows[0].pk);
    let of_bucket = store.rows(hub, ask(None, 5_000, vec![bucket])).await.expect("rows");
    let meant = all.rows.iter().filter(|row| digest::bucket_of(row.pk) == bucket);
    assert!(of_bucket.rows.iter().eq(meant), "rows of one bucket");
}
