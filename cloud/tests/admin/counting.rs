//! What happened in a venue, in numbers: from the facts and from the sums of days, which say the same.

use chrono::{DateTime, TimeDelta, Utc};
use roomtone_cloud::upkeep::{self, Retention};
use roomtone_schema::{Clock as _, SystemClock, UnixMillis, VenueId};
use serde_json::{Value, json};

use crate::place::{Place, global};
use crate::postgres::run;

const NUMBERS: &str = "query($id: ID!, $range: DateTimeRange!, $bucket: AnalyticsBucket!) { venue(id: $id) {
    analytics(range: $range, bucket: $bucket) { plays uniqueSongs listeners likes dislikes planSeconds cacheSeconds
      series { plays listeners likes dislikes axes { name value } } topSongs(first: 1) { plays } } } }";

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp_millis(SystemClock::new().wall().0).unwrap()
}

/// The question about the days from so many ago to so many ago.
fn question(venue: VenueId, from: i64, to: i64, bucket: &str) -> Value {
    let ago = |days| (now() - TimeDelta::days(days)).to_rfc3339();
    json!({ "id": global(venue), "range": { "from": ago(from), "to": ago(to) }, "bucket": bucket })
}

/// At noon so many days ago: three songs of half a second each from the plan, and one guest who changes their mind.
async fn an_evening(place: &Place, venue: VenueId, days: i64) {
    for title in ["Rain", "Sea", "Wind"] {
        let song = place.song(venue, title).await;
        run(
            &mut place.arrange().await,
            &format!(
                "insert into public.songs_playing (id, venue_id, song_id, played_at, heard_ms, tier)
                 select private.uuid7(at), '{venue}', '{song}', at, 500, 'plan' from (select current_date - {days} + interval '12 hours' as at) t;
                 insert into public.votes (id, venue_id, song_id, guest_id, vote_value, vote_time)
                 select private.uuid7(at), '{venue}', '{song}', '{venue}', value, at + value * interval '1 minute'
                 from (select current_date - {days} + interval '12 hours' as at) t, (values (-1), (1)) v (value)",
                venue = venue.0,
                song = song.0,
            ),
        )
        .await;
    }
    run(
        &mut place.arrange().await,
        &format!(
            "insert into public.sessions (id, venue_id, guest_id, checked_in_at, expires_at)
             select private.uuid7(at), '{0}', '{0}', at, at + interval '1 hour' from (select current_date - {days} + interval '12 hours' as at) t",
            venue.0
        ),
    )
    .await;
}

/// Whoever changes their mind has voted once, and parts of seconds are not lost: before and after the facts are gone.
#[tokio::test]
async fn facts_and_sums_of_days_say_the_same() {
    let place = Place::new().await;
    let ana = place.manager("ana").await;
    let venue = place.venue(ana, "aurora").await;
    an_evening(&place, venue, 10).await;
    // Rain twice as often as Wind, and the sea said nothing of a direction.
    let sounds = "update public.songs set embedding = '[1, 0, 0, 0, 0.375]', embedding_model_id = 1 where title = 'Rain';
                  update public.songs set embedding = '[-0.5, 0.75, 0, 0, 0]', embedding_model_id = 1 where title = 'Wind';
                  update public.songs set embedding = null, embedding_model_id = null where title = 'Sea';";
    run(&mut place.arrange().await, sounds).await;
    run(
        &mut place.arrange().await,
        &format!(
            "insert into public.songs_playing (id, venue_id, song_id, played_at, heard_ms, tier)
             select private.uuid7(at), '{0}', s.id, at, 500, 'hub'
             from public.songs s, (select current_date - 10 + interval '12 hours 10 minutes' as at) t where s.title = 'Rain'",
            venue.0
        ),
    )
    .await;
    let axis = |name: &str, value: f64| json!({ "name": name, "value": value });
    let sound = json!([
        axis("ENERGY", 0.5),
        axis("BRIGHTNESS", 0.25),
        axis("TEMPO", 0.0),
        axis("TONALITY", 0.0),
        axis("DENSITY", 0.25)
    ]);
    let evening = json!({ "plays": 4, "listeners": 1, "likes": 3, "dislikes": 0, "axes": sound });
    let all = json!({ "plays": 4, "uniqueSongs": 3, "listeners": 1, "likes": 3, "dislikes": 0, "planSeconds": 1, "cacheSeconds": 0,
        "series": [evening], "topSongs": [{ "plays": 2 }] });
    for bucket in ["HOUR", "DAY", "WEEK"] {
        let facts = place.ask(ana, NUMBERS, question(venue, 12, 1, bucket)).await;
        assert_eq!(facts["venue"]["analytics"], all, "{bucket}");
    }
    upkeep::tend(&place.cloud.database, UnixMillis(now().timestamp_millis()), Retention::default())
        .await
        .unwrap();
    for (from, bucket) in [(80, "DAY"), (300, "WEEK")] {
        let days = place.ask(ana, NUMBERS, question(venue, from, 1, bucket)).await;
        assert_eq!(days["venue"]["analytics"], all, "{from} {bucket}");
    }
}

/// Whoever is checked in counts until they leave, their visit ends, or somebody else asks.
#[tokio::test]
async fn the_people_who_are_there_are_counted_and_nobody_else() {
    let place = Place::new().await;
    let (ana, ben) = (place.manager("ana").await, place.manager("ben").await);
    let venue = place.venue(ana, "aurora").await;
    for (come, expires, ended) in
        [("1 hour", "1 hour", "null"), ("3 hours", "-1 hour", "null"), ("1 hour", "1 hour", "now()")]
    {
        let visit = format!(
            "insert into public.sessions (id, venue_id, guest_id, checked_in_at, expires_at, ended_at)
             values (private.uuid7(now() - interval '{come}'), '{0}', gen_random_uuid(), now() - interval '{come}',
               now() + interval '{expires}', {ended})",
            venue.0
        );
        run(&mut place.arrange().await, &visit).await;
    }
    let query = "query($id: ID!) { node(id: $id) { ... on Venue { activeListeners } } }";
    let told = place.ask(ana, query, json!({ "id": global(venue) })).await;
    assert_eq!(told["node"]["activeListeners"], 1);
    let told = place.ask(ben, query, json!({ "id": global(venue) })).await;
    assert!(told["node"].is_null());
}

/// A short range of long ago is counted from the days: its check-ins are gone, and the votes soon.
#[tokio::test]
async fn what_is_long_ago_is_told_though_its_facts_are_gone() {
    let place = Place::new().await;
    let ana = place.manager("ana").await;
    let venue = place.venue(ana, "aurora").await;
    run(
        &mut place.arrange().await,
        &format!(
            "insert into public.venue_daily (venue_id, day, plays, songs, listeners, likes, dislikes)
             values ('{}', current_date - 120, 40, 30, 12, 7, 2)",
            venue.0
        ),
    )
    .await;
    let told = place.ask(ana, NUMBERS, question(venue, 130, 110, "DAY")).await;
    let told = &told["venue"]["analytics"];
    assert_eq!(
        (&told["plays"], &told["listeners"], &told["likes"], &told["dislikes"]),
        (&json!(40), &json!(12), &json!(7), &json!(2))
    );
    assert_eq!(
        told["series"],
        json!([{ "plays": 40, "listeners": 12, "likes": 7, "dislikes": 2, "axes": null }])
    );
    let hours = place
        .answer(roomtone_server::caller::Caller::User(ana), NUMBERS, question(venue, 130, 120, "HOUR"))
        .await;
    assert_eq!(hours["errors"][0]["extensions"]["code"], "INVALID", "{hours}");
}
