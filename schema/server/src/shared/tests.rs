use std::collections::HashSet;

use async_graphql::{Context, EmptyMutation, Guard, Object, Schema, Subscription};
use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::{FutureExt as _, Stream};
use serde_json::{Value as Json, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_stream::wrappers::WatchStream;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::caller::{Caller, Gate, Visit};
use crate::front::{Front, FrontSettings};
use crate::lease::Lease;
use crate::listener::shared;
use crate::operation::Params;

/// Something that changes, and what is known of its being looked at.
struct World {
    number: watch::Sender<i32>,
    ran: AtomicUsize,
    /// A resolver that takes its time has begun; it may go on.
    begun: Notify,
    may_end: Semaphore,
}

struct State(i32);

#[Object(directive = shared::apply())]
impl State {
    async fn number(&self, ctx: &Context<'_>) -> i32 {
        world(ctx).ran.fetch_add(1, Ordering::SeqCst);
        self.0
    }

    async fn slow(&self, ctx: &Context<'_>) -> bool {
        world(ctx).begun.notify_one();
        world(ctx).may_end.acquire().await.unwrap().forget();
        true
    }

    async fn broken(&self) -> async_graphql::Result<i32> {
        Err("out of order".into())
    }

    async fn panics(&self) -> i32 {
        self.0.checked_div(0).expect("this is what the test wants")
    }

    /// Should be marked `@perViewer`, and is not.
    async fn asker(&self, ctx: &Context<'_>) -> String {
        format!("{:?}", Asker::caller(ctx))
    }
}

struct ManagersOnly;

impl Guard for ManagersOnly {
    async fn check(&self, ctx: &Context<'_>) -> async_graphql::Result<()> {
        if Asker::class(ctx) == Class::Manager { Ok(()) } else { Err("for managers".into()) }
    }
}

struct Query;

#[Object]
impl Query {
    async fn nothing(&self) -> bool {
        true
    }
}

struct Changes;

#[Subscription]
impl Changes {
    #[graphql(directive = shared::apply())]
    async fn state(
        &self,
        ctx: &Context<'_>,
        plus: Option<i32>,
        times: Option<i32>,
    ) -> impl Stream<Item = State> + use<> {
        let (plus, times) = (plus.unwrap_or(0), times.unwrap_or(1));
        WatchStream::new(world(ctx).number.subscribe()).map(move |number| State(number * times + plus))
    }

    async fn own(&self, ctx: &Context<'_>) -> impl Stream<Item = State> + use<> {
        WatchStream::new(world(ctx).number.subscribe()).map(State)
    }

    #[graphql(directive = shared::apply(), guard = "ManagersOnly")]
    async fn secret(&self) -> impl Stream<Item = i32> + use<> {
        stream::iter([42])
    }
}

fn world<'a>(ctx: &Context<'a>) -> &'a World {
    ctx.data_unchecked::<Arc<World>>()
}

#[derive(Clone)]
struct Open;

impl Gate for Open {
    async fn admit(&self, _token: Option<&str>) -> Caller {
        Caller::Anonymous
    }

    fn lease(&self, _token: Option<&str>) -> Lease {
        Lease::endless()
    }
}

type TestFront = Front<Schema<Query, EmptyMutation, Changes>, Open>;
type Events = BoxStream<'static, Event>;

const STATE: &str = "subscription { state { number } }";

fn front() -> (TestFront, Arc<World>) {
    let world = Arc::new(World {
        number: watch::Sender::new(1),
        ran: AtomicUsize::new(0),
        begun: Notify::new(),
        may_end: Semaphore::new(0),
    });
    let schema = Schema::build(Query, EmptyMutation, Changes).data(Arc::clone(&world)).finish();
    let sdl = schema.sdl();
    let front = Front::new(schema, Open, FrontSettings::default(), CancellationToken::new());
    (front.sharing(&sdl).unwrap(), world)
}

fn start(front: &TestFront, query: &str, variables: &Json, caller: Caller) -> Events {
    let params = Params::from_json(json!({ "query": query, "variables": variables })).unwrap();
    let operation = front.prepare(params).unwrap();
    front.start(operation, caller, &Visit::default())
}

fn watching(front: &TestFront, query: &str) -> Events {
    start(front, query, &json!({}), Caller::Anonymous)
}

async fn bytes(events: &mut Events) -> Bytes {
    match events.next().await {
        Some(Event::Next(payload)) => payload.bytes,
        other => panic!("an answer was expected, not {other:?}"),
    }
}

async fn answer(events: &mut Events) -> Json {
    serde_json::from_slice(&bytes(events).await).unwrap()
}

async fn number(events: &mut Events) -> i64 {
    answer(events).await["data"]["state"]["number"].as_i64().unwrap()
}

/// The one place in memory that all of them were handed.
async fn one_copy(subscribers: &mut [Events]) -> Bytes {
    let copies = join_all(subscribers.iter_mut().map(bytes)).await;
    let places: HashSet<_> = copies.iter().map(|copy| copy.as_ptr()).collect();
    assert_eq!(places.len(), 1, "everybody is handed the same bytes");
    copies[0].clone()
}

fn ran(world: &World) -> usize {
    world.ran.load(Ordering::SeqCst)
}

#[tokio::test(start_paused = true)]
async fn a_change_is_executed_and_written_once_for_all() {
    let (front, world) = front();
    let mut subscribers: Vec<_> = (0..100).map(|_| watching(&front, STATE)).collect();
    for change in 1..=3 {
        world.number.send_replace(change);
        assert_eq!(
            one_copy(&mut subscribers).await,
            format!(r#"{{"data":{{"state":{{"number":{change}}}}}}}"#)
        );
        assert_eq!(ran(&world), change as usize);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_shared_is_executed_for_each() {
    let (front, world) = front();
    let mut subscribers = [(); 3].map(|()| watching(&front, "subscription { own { number } }"));
    join_all(subscribers.iter_mut().map(bytes)).await;
    assert_eq!(ran(&world), 3);
}

#[tokio::test(start_paused = true)]
async fn who_joins_late_begins_with_the_last_bytes() {
    let (front, world) = front();
    let mut first = watching(&front, STATE);
    let seen = bytes(&mut first).await;
    let mut second = watching(&front, STATE);
    assert_eq!(bytes(&mut second).await.as_ptr(), seen.as_ptr());
    assert_eq!(ran(&world), 1);
    world.number.send_replace(2);
    one_copy(&mut [first, second]).await;
}

#[tokio::test(start_paused = true)]
async fn last_bytes_that_are_no_longer_fresh_are_made_anew_once_for_all_who_wait() {
    let (front, world) = front();
    let mut first = watching(&front, STATE);
    let seen = bytes(&mut first).await;
    tokio::time::advance(FRESH * 2).await;

    let mut late: Vec<_> = (0..20).map(|_| watching(&front, STATE)).collect();
    assert_ne!(one_copy(&mut late).await.as_ptr(), seen.as_ptr());
    assert_eq!(ran(&world), 2);
    assert!(first.next().now_or_never().is_none(), "nothing has changed for who was there");

    world.number.send_replace(2);
    late.push(first);
    one_copy(&mut late).await;
    assert_eq!(ran(&world), 3);
}

#[tokio::test(start_paused = true)]
async fn who_reads_slowly_skips_to_the_newest() {
    let (front, world) = front();
    let (mut quick, mut slow) = (watching(&front, STATE), watching(&front, STATE));
    assert_eq!((number(&mut quick).await, number(&mut slow).await), (1, 1));
    for change in 2..=5 {
        world.number.send_replace(change);
        assert_eq!(number(&mut quick).await, i64::from(change));
    }
    assert_eq!(number(&mut slow).await, 5);
    assert!(slow.next().now_or_never().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_topic_ends_with_its_last_subscriber() {
    let (front, world) = front();
    let (mut first, mut second) = (watching(&front, STATE), watching(&front, STATE));
    bytes(&mut first).await;
    bytes(&mut second).await;
    drop(first);
    world.number.send_replace(2);
    assert_eq!(number(&mut second).await, 2);
    drop(second);
    world.number.closed().await;
    assert!(front.shared.topics().is_empty());
    assert_eq!(number(&mut watching(&front, STATE)).await, 2, "and begins anew with the next");
}

#[tokio::test(start_paused = true)]
async fn who_leaves_while_a_topic_is_executed_harms_nobody() {
    let (front, world) = front();
    let query = "subscription { state { slow number } }";
    let (mut leader, mut follower) = (watching(&front, query), watching(&front, query));
    assert!(leader.next().now_or_never().is_none());
    world.begun.notified().await;
    drop(leader);
    world.may_end.add_permits(1);
    assert_eq!(number(&mut follower).await, 1);
    assert_eq!(ran(&world), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failed_field_is_told_to_all() {
    let (front, _world) = front();
    let mut subscribers = [(); 3].map(|()| watching(&front, "subscription { state { broken } }"));
    let told = String::from_utf8(one_copy(&mut subscribers).await.to_vec()).unwrap();
    assert!(told.contains("out of order") && told.contains(r#""path":["state","broken"]"#), "{told}");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_cannot_run_is_refused_to_all_and_over() {
    let (front, _world) = front();
    let query = r#"subscription { state(plus: "much") { number } }"#;
    for mut events in [(); 3].map(|()| watching(&front, query)) {
        assert!(matches!(events.next().await, Some(Event::Next(Payload { request_error: true, .. }))));
        assert_eq!(events.next().await, Some(Event::Complete));
        assert_eq!(events.next().await, None);
    }
    assert!(front.shared.topics().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_told_as_ours_and_ends_the_topic_alone() {
    let (front, _world) = front();
    let mut bystander = watching(&front, STATE);
    for mut events in [(); 2].map(|()| watching(&front, "subscription { state { panics } }")) {
        assert_eq!(answer(&mut events).await["errors"][0]["extensions"]["code"], "INTERNAL");
        assert_eq!(events.next().await, Some(Event::Complete));
    }
    assert_eq!(number(&mut bystander).await, 1);
    assert_eq!(front.shared.topics().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_guard_at_the_root_holds_for_each_class() {
    let (front, _world) = front();
    let query = "subscription { secret }";
    let mut manager = start(&front, query, &json!({}), Caller::Manager);
    let mut stranger = watching(&front, query);
    assert_eq!(answer(&mut manager).await["data"]["secret"], 42);
    assert_eq!(answer(&mut stranger).await["errors"][0]["message"], "for managers");
}

#[tokio::test(start_paused = true)]
async fn a_shared_answer_knows_no_viewer_even_where_the_schema_is_wrong() {
    let (front, _world) = front();
    let query = "subscription { state { asker } }";
    let mut manager = start(&front, query, &json!({}), Caller::Manager);
    assert_eq!(answer(&mut manager).await["data"]["state"]["asker"], "Anonymous");
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_for_differently_is_not_mixed_up() {
    let (front, _world) = front();
    let query = "subscription S($plus: Int, $times: Int) { state(plus: $plus, times: $times) { number } }";
    let of = |variables: Json| start(&front, query, &variables, Caller::Anonymous);
    let mut same = [
        of(json!({ "plus": 3, "times": 2 })),
        of(json!({ "times": 2, "plus": 3 })),
        of(json!({ "times": 2, "plus": 3, "unused": "x" })),
    ];
    assert_eq!(one_copy(&mut same).await, r#"{"data":{"state":{"number":5}}}"#);
    let mut others = [
        of(json!({ "plus": 2, "times": 3 })),
        of(json!({ "plus": 3 })),
        of(json!({ "plus": 3, "times": null })),
    ];
    for (other, expected) in others.iter_mut().zip([5, 4, 4]) {
        assert_eq!(number(other).await, expected);
    }
    assert_eq!(front.shared.topics().len(), 4);
}

/// Joins, reads a few answers and leaves, again and again.
async fn visitor(front: TestFront, world: Arc<World>, visits: usize) {
    for visit in 0..visits {
        let mut events = watching(&front, STATE);
        let mut last = 0;
        for _ in 0..=visit % 3 {
            // The publisher goes on until all visitors are done, so there is always a next answer.
            let seen = number(&mut events).await;
            assert!(last <= seen, "an older answer came after a newer one: {last}, then {seen}");
            last = seen;
        }
        assert!(last <= i64::from(*world.number.borrow()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn joining_and_leaving_at_any_moment_loses_nothing() {
    let (front, world) = front();
    let mut visitors = JoinSet::new();
    for _ in 0..16 {
        visitors.spawn(visitor(front.clone(), Arc::clone(&world), 300));
    }
    while !visitors.is_empty() {
        world.number.send_modify(|number| *number += 1);
        tokio::task::yield_now().await;
        while let Some(done) = visitors.try_join_next() {
            done.unwrap();
        }
    }
    world.number.closed().await;
    front.tasks.close();
    front.tasks.wait().await;
    assert!(front.shared.topics().is_empty());

    // Whoever stays sees the last change, whenever it joined.
    let mut staying: Vec<_> = (0..50).map(|_| watching(&front, STATE)).collect();
    world.number.send_replace(1_000_000);
    for events in &mut staying {
        while number(events).await != 1_000_000 {}
    }
}
