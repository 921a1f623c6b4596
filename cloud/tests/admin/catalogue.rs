//! Songs: finding, correcting, taking out, and who plays them.

use roomtone_schema::{SongId, UserId};
use serde_json::{Value, json};

use crate::place::{Place, done, global, refused};

async fn titles(place: &Place, who: UserId, arguments: &str) -> Vec<String> {
    let found = place.ask(who, &format!("{{ songs({arguments}) {{ nodes {{ title }} }} }}"), json!({})).await;
    let nodes = found["songs"]["nodes"].as_array().unwrap();
    nodes.iter().map(|song| song["title"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn what_is_searched_for_means_itself() {
    let place = Place::new().await;
    let ana = place.manager("ana").await;
    let venue = place.venue(ana, "aurora").await;
    for title in ["100% rain", "snake_case", r"back\slash", "Größe", "plain"] {
        place.song(venue, title).await;
    }
    for (search, found) in [
        ("%", vec!["100% rain"]),
        ("_", vec!["snake_case"]),
        (r"\\", vec![r"back\slash"]),
        ("0% R", vec!["100% rain"]),
        ("GRÖSSE", vec![]),
        ("größe", vec!["Größe"]),
        ("artist of pl", vec!["plain"]),
        ("' or 1=1 --", vec![]),
    ] {
        let arguments = format!("filter: {{ search: \"{search}\" }}, order: {{ field: TITLE }}");
        assert_eq!(titles(&place, ana, &arguments).await, found, "{search}");
    }
    assert_eq!(titles(&place, ana, "filter: { search: \"\" }").await.len(), 5);
}

#[tokio::test]
async fn a_manager_knows_better_than_the_file() {
    let place = Place::new().await;
    let ana = place.manager("ana").await;
    let venue = place.venue(ana, "aurora").await;
    let song = global(place.song(venue, "Rain").await);
    let wanted = "song { title isrc bpm kind explicit axes { name value } ownValues }";
    let input = json!({ "id": song, "title": "Heavy rain", "isrc": "gb-aye-68-00023", "bpm": 90, "kind": "SOUNDSCAPE", "explicit": "CLEAN", "embedding": [0.0, 0.0, 0.5, 0.0, 0.0] });
    let payload = place.mutate(ana, "updateSong", input, wanted).await;
    let told = &done(&payload)["song"];
    assert_eq!(
        (&told["title"], &told["isrc"], &told["bpm"]),
        (&json!("Heavy rain"), &json!("GBAYE6800023"), &json!(90))
    );
    assert_eq!(told["axes"][2], json!({ "name": "TEMPO", "value": 0.5 }));
    assert_eq!(told["ownValues"], json!(["BPM", "EMBEDDING", "EXPLICIT", "ISRC", "TITLE", "KIND"]));
    for (field, value) in [
        ("embedding", json!([0.0, 0.0, 0.0, 0.0, 0.0])),
        ("embedding", json!([1e308, 0.0, 0.0, 0.0, 0.0])),
        ("embedding", json!([1.0, 2.0])),
        ("isrc", json!("x")),
        ("bpm", json!(0)),
        ("title", json!("")),
    ] {
        let payload = place.mutate(ana, "updateSong", json!({ "id": song, field: value }), wanted).await;
        assert_eq!(refused(&payload), "INVALID", "{field}");
        assert_eq!(payload["userErrors"][0]["field"], json!(["input", field]));
    }
}

#[tokio::test]
async fn a_song_is_withdrawn_and_restored_unless_it_is_there_again() {
    let place = Place::new().await;
    let ana = place.manager("ana").await;
    let venue = place.venue(ana, "aurora").await;
    let song = place.song(venue, "Rain").await;
    let input = json!({ "id": global(song) });
    let out = place.mutate(ana, "withdrawSong", input.clone(), "song { status }").await;
    assert_eq!(done(&out)["song"]["status"], "WITHDRAWN");
    assert_eq!(titles(&place, ana, "first: 50").await, [""; 0]);
    assert_eq!(titles(&place, ana, "filter: { status: WITHDRAWN }").await, ["Rain"]);
    let back = place.mutate(ana, "restoreSong", input.clone(), "song { status }").await;
    assert_eq!(done(&back)["song"]["status"], "READY");
    done(&place.mutate(ana, "withdrawSong", input.clone(), "song { status }").await);
    let twin = place.song(venue, "Rain again").await;
    sqlx::query("update public.songs set content_sha256 = (select content_sha256 from public.songs where id = $1) where id = $2")
        .bind(song.0)
        .bind(twin.0)
        .execute(&mut place.arrange().await)
        .await
        .unwrap();
    assert_eq!(refused(&place.mutate(ana, "restoreSong", input, "song { status }").await), "CONFLICT");
    let log: Vec<String> =
        sqlx::query_scalar("select action from public.audit_log where target = 'Song:' || $1 order by id")
            .bind(song.0.to_string())
            .fetch_all(&mut place.arrange().await)
            .await
            .unwrap();
    assert_eq!(log, ["song.withdrawn", "song.restored", "song.withdrawn"]);
}

fn pairs(songs: &[SongId], venues: &[roomtone_schema::VenueId]) -> Value {
    let songs: Vec<_> = songs.iter().map(|id| global(*id)).collect();
    let venues: Vec<_> = venues.iter().map(|id| global(*id)).collect();
    json!({ "songIds": songs, "venueIds": venues })
}

#[tokio::test]
async fn songs_are_assigned_to_venues_all_or_none() {
    let place = Place::new().await;
    let ana = place.manager("ana").await;
    let first = place.venue(ana, "aurora").await;
    let input = json!({ "name": "B", "slug": "borea", "timeZone": "UTC", "organisationId": global(place.owner_of(first).await) });
    let second = place.mutate(ana, "createVenue", input, "venue { id }").await;
    let second = {
        use roomtone_schema::id::Id as _;
        roomtone_schema::VenueId::from_global(second["venue"]["id"].as_str().unwrap()).unwrap()
    };
    let songs = [place.song(first, "a").await, place.song(first, "b").await];
    let done_pairs = place.mutate(ana, "assignSongs", pairs(&songs, &[first, second]), "assigned").await;
    assert_eq!(done(&done_pairs)["assigned"], 4);
    let again = place.mutate(ana, "assignSongs", pairs(&songs[..1], &[first]), "assigned").await;
    assert_eq!(done(&again)["assigned"], 0);
    let told = place.ask(ana, "query($id: ID!) { venue(id: $id) { songCount songs(order: { field: TITLE }) { totalCount nodes { title venues { slug } } } } }", json!({ "id": global(second) })).await;
    assert_eq!(told["venue"]["songCount"], 2);
    assert_eq!(
        told["venue"]["songs"]["nodes"][1],
        json!({ "title": "b", "venues": [{ "slug": "aurora" }, { "slug": "borea" }] })
    );
    let out = place.mutate(ana, "unassignSongs", pairs(&songs[..1], &[second]), "unassigned").await;
    assert_eq!(done(&out)["unassigned"], 1);
    // One song that is not theirs, and nothing is done.
    let bea = place.manager("bea").await;
    let hers = place.venue(bea, "calm").await;
    let foreign = place.song(hers, "hers").await;
    let mixed = place.mutate(ana, "assignSongs", pairs(&[songs[0], foreign], &[second]), "assigned").await;
    assert_eq!(refused(&mixed), "NOT_FOUND");
    let one = place
        .ask(ana, "query($id: ID!) { venue(id: $id) { songCount } }", json!({ "id": global(second) }))
        .await;
    assert_eq!(one["venue"]["songCount"], 1);
    assert_eq!(
        refused(&place.mutate(ana, "assignSongs", pairs(&songs, &[hers]), "assigned").await),
        "NOT_FOUND"
    );
    assert_eq!(refused(&place.mutate(ana, "assignSongs", pairs(&[], &[first]), "assigned").await), "INVALID");
    let many = vec![songs[0]; 501];
    assert_eq!(
        refused(&place.mutate(ana, "assignSongs", pairs(&many, &[first]), "assigned").await),
        "TOO_LARGE"
    );
}

#[tokio::test]
async fn a_file_can_be_had_by_whoever_works_with_the_catalogue() {
    let place = Place::new().await;
    let (ana, bea) = (place.manager("ana").await, place.person("bea").await);
    let venue = place.venue(ana, "aurora").await;
    place.database.member(venue, bea, "viewer").await;
    let song = json!({ "id": global(place.song(venue, "Rain").await) });
    let url = "query($id: ID!) { song(id: $id) { title downloadUrl } }";
    let hers = place.ask(ana, url, song.clone()).await;
    assert!(hers["song"]["downloadUrl"].as_str().unwrap().contains("X-Amz-Expires=900"), "{hers}");
    let only_looks = place.ask(bea, url, song).await;
    assert_eq!(only_looks["song"], json!({ "title": "Rain", "downloadUrl": null }));
}
