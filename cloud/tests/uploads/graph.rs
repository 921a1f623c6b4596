//! The same by the managers' API.

use async_graphql::{Request, Variables};
use futures_util::StreamExt as _;
use roomtone_cloud::graphql::{self, CloudSchema};
use roomtone_cloud::media::Address;
use roomtone_schema::UserId;
use roomtone_schema::id::Id as _;
use roomtone_server::caller::{Asker, Caller, Visit};
use roomtone_server::front::FrontSettings;
use serde_json::{Value, json};

use crate::desk::{Desk, key, sum};
use crate::store::put_well;

const CREATE: &str = "mutation ($input: CreateSongUploadInput!) { createSongUpload(input: $input) {
    upload { id state filename bytes target { url headers { name value } parts partBytes } organisation { id } }
    existingSong { id title } userErrors { code field message } } }";
const FINALISE: &str = "mutation ($input: FinaliseSongUploadInput!) { finaliseSongUpload(input: $input) {
    upload { id state target { url } } userErrors { code field } } }";
const WATCH: &str = "subscription ($id: ID!) { songUploadUpdated(id: $id) { state refusal { code message } song { title ownValues axes { name } venues { id } } } }";

struct Manager {
    schema: CloudSchema,
    user: UserId,
}

impl Manager {
    fn of(desk: &Desk) -> Self {
        let schema = graphql::schema(desk.cloud.clone(), &FrontSettings::default());
        Self { schema, user: desk.owner }
    }

    fn request(&self, query: &str, variables: Value) -> Request {
        let asker = Asker::one(Caller::User(self.user), Visit::default());
        Request::new(query).variables(Variables::from_json(variables)).data(asker)
    }

    async fn ask(&self, query: &str, variables: Value) -> Value {
        let response = self.schema.execute(self.request(query, variables)).await;
        assert!(response.errors.is_empty(), "{:?}", response.errors);
        response.data.into_json().unwrap()
    }
}

fn announced(desk: &Desk, bytes: &[u8]) -> Value {
    json!({ "idempotencyKey": key().0, "venueId": desk.venue.to_global(), "filename": "Rain.wav",
            "contentType": "audio/wav", "bytes": bytes.len(), "sha256": sum(bytes).to_string() })
}

fn address(target: &Value) -> Address {
    let header = |header: &Value| {
        let text = |name: &str| header[name].as_str().unwrap().to_owned();
        (text("name"), text("value"))
    };
    let headers = target["headers"].as_array().unwrap().iter().map(header).collect();
    Address { url: target["url"].as_str().unwrap().to_owned(), headers }
}

#[tokio::test]
async fn a_manager_brings_a_song_in_and_watches_it() {
    let desk = Desk::at_work().await;
    let manager = Manager::of(&desk);
    let bytes = desk.tone(220.0);
    let input = announced(&desk, &bytes);
    let made = manager.ask(CREATE, json!({ "input": input })).await;
    let upload = &made["createSongUpload"]["upload"];
    assert_eq!(
        (upload["state"].as_str(), upload["bytes"].as_u64()),
        (Some("WAITING"), Some(bytes.len() as u64))
    );
    assert_eq!(upload["target"]["partBytes"], Value::Null);
    // Once more with the same key, as after a lost answer: the same upload.
    let again = manager.ask(CREATE, json!({ "input": input })).await;
    assert_eq!(again["createSongUpload"]["upload"]["id"], upload["id"]);

    let mut watching = manager.schema.execute_stream(manager.request(WATCH, json!({ "id": upload["id"] })));
    let first = watching.next().await.unwrap().data.into_json().unwrap();
    assert_eq!(first["songUploadUpdated"]["state"], "WAITING");
    put_well(&address(&upload["target"]), bytes.clone()).await;
    let input = json!({ "idempotencyKey": key().0, "id": upload["id"], "venueIds": [desk.venue.to_global()],
                        "title": "Rain on tin", "kind": "SOUNDSCAPE" });
    let done = manager.ask(FINALISE, json!({ "input": input })).await;
    let done = &done["finaliseSongUpload"];
    assert_eq!((&done["userErrors"], &done["upload"]["target"]), (&json!([]), &Value::Null));

    let mut states = Vec::new();
    while let Some(response) = watching.next().await {
        assert!(response.errors.is_empty(), "{:?}", response.errors);
        states.push(response.data.into_json().unwrap()["songUploadUpdated"].clone());
    }
    let last = states.last().unwrap();
    assert_eq!(last["state"], "DONE", "{states:?}");
    assert_eq!(last["song"]["title"], "Rain on tin");
    assert_eq!(last["song"]["ownValues"], json!(["TITLE", "KIND"]));
    assert_eq!(last["song"]["axes"].as_array().unwrap().len(), 5);
    assert_eq!(last["song"]["venues"], json!([{ "id": desk.venue.to_global() }]));

    let known = manager.ask(CREATE, json!({ "input": announced(&desk, &bytes) })).await;
    assert_eq!(known["createSongUpload"]["existingSong"]["title"], "Rain on tin");
    assert_eq!(known["createSongUpload"]["upload"], Value::Null);
}

#[tokio::test]
async fn a_refusal_names_what_is_wrong() {
    let desk = Desk::open().await;
    let manager = Manager::of(&desk);
    let cases = [
        ("bytes", json!(0), "INVALID"),
        ("bytes", json!(-1), "INVALID"),
        ("bytes", json!(3_000_000_000_u64), "TOO_LARGE"),
        ("sha256", json!("abc"), "INVALID"),
        ("contentType", json!("image/png"), "UNSUPPORTED"),
        ("venueId", json!("nonsense"), "INVALID"),
        ("venueId", Value::Null, "INVALID"),
    ];
    for (field, value, code) in cases {
        let mut input = announced(&desk, b"1234");
        input[field] = value;
        let answer = manager.ask(CREATE, json!({ "input": input })).await;
        let error = &answer["createSongUpload"]["userErrors"][0];
        assert_eq!((&error["code"], &error["field"]), (&json!(code), &json!(["input", field])));
    }
    assert_eq!(desk.value("select count(*) from public.song_uploads").await, "0");
}

#[tokio::test]
async fn uploads_are_listed_and_watched() {
    let desk = Desk::open().await;
    let manager = Manager::of(&desk);
    for n in 0..3_u8 {
        manager.ask(CREATE, json!({ "input": announced(&desk, &[n; 9]) })).await;
    }
    let organisation = desk.organisation.to_global();
    let list = "query ($id: ID!, $after: String) { songUploads(organisationId: $id, states: [WAITING], first: 2, after: $after) {
        totalCount pageInfo { hasNextPage endCursor } nodes { filename createdAt } } }";
    let first = manager.ask(list, json!({ "id": organisation })).await["songUploads"].clone();
    assert_eq!((first["totalCount"].as_i64(), first["nodes"].as_array().unwrap().len()), (Some(3), 2));
    let after = &first["pageInfo"]["endCursor"];
    let rest = manager.ask(list, json!({ "id": organisation, "after": after })).await["songUploads"].clone();
    assert_eq!(
        (&rest["pageInfo"]["hasNextPage"], rest["nodes"].as_array().unwrap().len()),
        (&json!(false), 1)
    );

    let watch = "subscription ($id: ID!) { songUploadsUpdated(organisationId: $id) { id state } }";
    let mut watching = manager.schema.execute_stream(manager.request(watch, json!({ "id": organisation })));
    let now = watching.next().await.unwrap().data.into_json().unwrap()["songUploadsUpdated"].clone();
    assert_eq!(now.as_array().unwrap().len(), 3);
    let cancel = "mutation ($input: CancelSongUploadInput!) { cancelSongUpload(input: $input) { upload { state } userErrors { code } } }";
    let input = json!({ "idempotencyKey": key().0, "id": now[1]["id"] });
    let gone = manager.ask(cancel, json!({ "input": input })).await;
    assert_eq!(gone["cancelSongUpload"]["upload"]["state"], "CANCELLED");
    let then = watching.next().await.unwrap().data.into_json().unwrap()["songUploadsUpdated"].clone();
    assert_eq!(then[1]["state"], "CANCELLED");
    // Whoever is a member no more sees it end.
    crate::postgres::run(&mut desk.database.superuser().await, "delete from public.venue_members").await;
    desk.cloud.bus.publish(roomtone_cloud::bus::Topic::User(desk.owner));
    assert!(watching.next().await.is_none());
}

#[tokio::test]
async fn what_is_anothers_is_not_there() {
    let desk = Desk::open().await;
    let mut manager = Manager::of(&desk);
    let made = manager.ask(CREATE, json!({ "input": announced(&desk, b"1234") })).await;
    let id = made["createSongUpload"]["upload"]["id"].clone();
    manager.user = desk.database.user("stranger@example.org", None).await;
    let one = manager
        .ask("query ($id: ID!) { songUpload(id: $id) { state } node(id: $id) { id } }", json!({ "id": id }))
        .await;
    assert_eq!(one, json!({ "songUpload": null, "node": null }));
    let input = json!({ "idempotencyKey": key().0, "id": id });
    let answer = manager.ask(FINALISE, json!({ "input": input })).await;
    assert_eq!(answer["finaliseSongUpload"]["userErrors"][0]["code"], "NOT_FOUND");
    let mut watching = manager.schema.execute_stream(manager.request(WATCH, json!({ "id": id })));
    assert!(!watching.next().await.unwrap().errors.is_empty());
}
