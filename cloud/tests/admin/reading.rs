//! Lists: pages both ways, one question for many rows, bounds.

use std::cell::Cell;
use std::sync::Once;

use roomtone_schema::UserId;
use roomtone_server::caller::Caller;
use serde_json::{Value, json};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::fleet::fleet;
use crate::place::{Place, global};

/// All titles, a page of two at a time, one way or the other.
async fn walk(place: &Place, who: UserId, order: &str, backwards: bool) -> Vec<String> {
    let (count, place_of, more, end) = if backwards {
        ("last", "before", "hasPreviousPage", "startCursor")
    } else {
        ("first", "after", "hasNextPage", "endCursor")
    };
    let document = format!(
        "query($at: String) {{ songs({count}: 2, {place_of}: $at, order: {order}) {{ totalCount nodes {{ title }} pageInfo {{ {more} {end} }} }} }}"
    );
    let (mut seen, mut at) = (Vec::<String>::new(), Value::Null);
    loop {
        let page = place.ask(who, &document, json!({ "at": at })).await["songs"].take();
        let titles =
            page["nodes"].as_array().unwrap().iter().map(|song| song["title"].as_str().unwrap().to_owned());
        let titles: Vec<String> = titles.collect();
        seen = if backwards {
            titles.into_iter().chain(seen).collect()
        } else {
            seen.into_iter().chain(titles).collect()
        };
        assert_eq!(page["totalCount"], 7);
        if page["pageInfo"][more] == false {
            return seen;
        }
        at = page["pageInfo"][end].clone();
    }
}

#[tokio::test]
async fn pages_lead_through_a_list_both_ways() {
    let place = Place::new().await;
    let ana = place.manager("ana").await;
    let venue = place.venue(ana, "aurora").await;
    // Two are called the same: their ids tell them apart.
    for title in ["b", "a", "d", "Ä", "a", "c", "e"] {
        place.song(venue, title).await;
    }
    for (field, direction) in [
        ("TITLE", "ASC"),
        ("TITLE", "DESC"),
        ("ARTIST", "ASC"),
        ("CREATED_AT", "ASC"),
        ("CREATED_AT", "DESC"),
    ] {
        let order = format!("{{ field: {field}, direction: {direction} }}");
        let forth = walk(&place, ana, &order, false).await;
        assert_eq!(forth.len(), 7, "{order}");
        assert_eq!(walk(&place, ana, &order, true).await, forth, "{order}");
    }
    assert_eq!(walk(&place, ana, "{ field: CREATED_AT }", false).await, ["b", "a", "d", "Ä", "a", "c", "e"]);
    for wrong in ["first: 1, last: 1", "first: -1", "after: \"nonsense\""] {
        let answer = place
            .answer(Caller::User(ana), &format!("{{ songs({wrong}) {{ totalCount }} }}"), json!({}))
            .await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "INVALID", "{wrong}");
    }
}

#[tokio::test]
async fn venues_come_by_name_in_pages() {
    let place = Place::new().await;
    let ana = place.manager("ana").await;
    for slug in ["delta", "alpha", "charlie", "bravo"] {
        place.venue(ana, slug).await;
    }
    let page = |at: Value| {
        let place = &place;
        async move {
            let document = "query($at: String) { venues(first: 3, after: $at) { edges { cursor node { slug } } pageInfo { hasNextPage hasPreviousPage endCursor } } }";
            place.ask(ana, document, json!({ "at": at })).await["venues"].take()
        }
    };
    let first = page(Value::Null).await;
    assert_eq!(first["edges"][0]["node"]["slug"], "alpha");
    assert_eq!(first["pageInfo"]["hasNextPage"], true);
    let second = page(first["pageInfo"]["endCursor"].clone()).await;
    assert_eq!(second["edges"][0]["node"]["slug"], "delta");
    assert_eq!(
        (&second["pageInfo"]["hasNextPage"], &second["pageInfo"]["hasPreviousPage"]),
        (&json!(false), &json!(true))
    );
    let found = place.ask(ana, "{ venues(search: \"RAV\") { totalCount nodes { slug } } }", json!({})).await;
    assert_eq!(found["venues"], json!({ "totalCount": 1, "nodes": [{ "slug": "bravo" }] }));
}

/// Fifty venues with all that belongs to them are a handful of statements, as one venue is.
#[tokio::test]
async fn a_list_of_venues_asks_once_for_all_rows() {
    let place = Place::new().await;
    let ana = place.manager("ana").await;
    let first = place.venue(ana, "venue-0").await;
    fleet(&place, first).await;
    let wanted = "{ venues(first: 50) { nodes { name members { role user { email } } hubs { name players { name } } players { name zone { name } } zones { name } } } }";
    let one = statements(&place, ana, wanted).await;
    for number in 1..50 {
        let venue = place.venue(ana, &format!("venue-{number}")).await;
        fleet(&place, venue).await;
    }
    let fifty = statements(&place, ana, wanted).await;
    // Rows whose turn comes late, on a busy machine, are asked for in a batch of their own. Six lists of fifty venues, each
    // in a unit of work of its own, would be four statements for each of them: 1,200.
    assert!(one > 0 && fifty < 300, "{one} statements for one venue, {fifty} for fifty");
}

#[tokio::test]
async fn what_rooms_show_is_asked_once_for_all_venues() {
    let place = Place::new().await;
    let ana = place.manager("ana").await;
    let wanted = "{ venues(first: 20) { nodes { zones { room { toldAt hours { isOpen } vibe { source } nowPlaying { positionMs song { title } } upNext { title } } } } } }";
    let mut counts = Vec::new();
    for number in 0..20 {
        let venue = place.venue(ana, &format!("venue-{number}")).await;
        let (hub, _) = fleet(&place, venue).await;
        let (now, next) = (place.song(venue, "now").await, place.song(venue, "next").await);
        sqlx::query(
            "insert into private.rooms_told (venue_id, zone_id, hub_id, place, told, told_at, ahead)
             select venue_id, id, $2, 0, jsonb_build_object(
               'now', jsonb_build_object('song', $3, 'started_at', 0, 'position_ms', 60000), 'next', '[]'::jsonb, 'axes',
               '[0, 0, 0, 0, 1]'::jsonb, 'consensus', 0, 'listeners', 0, 'source', 'profile', 'needs_screen_code', false),
               now(), array[$3, $4] from public.zones where venue_id = $1",
        )
        .bind(venue.0)
        .bind(hub.0)
        .bind(now.0)
        .bind(next.0)
        .execute(&mut place.arrange().await)
        .await
        .unwrap();
        if number == 0 || number == 19 {
            let (answer, count) = counted(&place, ana, wanted).await;
            let room = &answer["venues"]["nodes"][number]["zones"][0]["room"];
            assert_eq!(room["nowPlaying"]["song"]["title"], "now", "{answer}");
            assert!(room["nowPlaying"]["positionMs"].as_i64() >= Some(60_000));
            assert_eq!(
                (&room["upNext"], &room["vibe"]["source"]),
                (&json!([{ "title": "next" }]), &json!("PROFILE"))
            );
            counts.push(count);
        }
    }
    // As above: three lists and two of songs, in a unit of work each.
    assert!(
        0 < counts[0] && counts[1] < counts[0] + 40,
        "{counts:?} statements for one venue and for twenty"
    );
}

thread_local! {
    /// Statements of this test: it has one thread, and everything that is started runs on it.
    static COUNTED: Cell<usize> = const { Cell::new(0) };
}

/// How many statements it takes.
async fn statements(place: &Place, who: UserId, document: &str) -> usize {
    let (answer, count) = counted(place, who, document).await;
    assert!(answer["venues"]["nodes"][0]["members"][0]["user"]["email"].is_string(), "{answer}");
    assert_eq!(answer["venues"]["nodes"][0]["hubs"][0]["players"][0]["name"], "bar");
    count
}

async fn counted(place: &Place, who: UserId, document: &str) -> (Value, usize) {
    static COUNTING: Once = Once::new();
    COUNTING.call_once(|| tracing::subscriber::set_global_default(Counter).unwrap());
    COUNTED.set(0);
    let answer = place.ask(who, document, json!({})).await;
    (answer, COUNTED.get())
}

/// Counts what the driver tells of its statements.
struct Counter;

impl Subscriber for Counter {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sqlx::query"
    }

    fn event(&self, _event: &Event<'_>) {
        COUNTED.set(COUNTED.get() + 1);
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}
    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}
    fn enter(&self, _span: &Id) {}
    fn exit(&self, _span: &Id) {}
}

#[tokio::test]
async fn what_would_answer_too_much_is_not_run() {
    let place = Place::new().await;
    let ana = place.manager("ana").await;
    let greedy = "{ venues(first: 200) { nodes { songs(first: 200) { nodes { title } } } } }";
    let answer = place.answer(Caller::User(ana), greedy, json!({})).await;
    assert_eq!(answer["errors"][0]["message"], "Query is too complex.");
    let ids: Vec<_> = (0..101).map(|_| global(roomtone_schema::SongId(uuid::Uuid::new_v4()))).collect();
    let answer = place
        .answer(Caller::User(ana), "query($ids: [ID!]!) { nodes(ids: $ids) { id } }", json!({ "ids": ids }))
        .await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "INVALID");
}
