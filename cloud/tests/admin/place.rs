//! A cloud of one test's own: a database, a media store in a folder, the schema, and how it is asked.

use std::sync::Arc;

use async_graphql::{Request, Variables};
use futures_util::Stream;
use roomtone_cloud::bus::Bus;
use roomtone_cloud::cloud::Cloud;
use roomtone_cloud::dev::media_server;
use roomtone_cloud::graphql::{CloudSchema, schema};
use roomtone_cloud::media::{Media, MediaSettings};
use roomtone_cloud::secret::Secret;
use roomtone_schema::id::Id;
use roomtone_schema::{OrganisationId, SongId, SystemClock, UserId, VenueId};
use roomtone_server::caller::{Asker, Caller, Visit};
use roomtone_server::front::FrontSettings;
use serde_json::{Value, json};
use sqlx::PgConnection;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::postgres::{Postgres, TestDatabase, Version};

pub(crate) struct Place {
    pub(crate) database: TestDatabase,
    pub(crate) cloud: Cloud,
    pub(crate) schema: CloudSchema,
    _folder: tempfile::TempDir,
    _served: JoinSet<anyhow::Result<()>>,
}

impl Place {
    pub(crate) async fn new() -> Self {
        let database = Postgres::start(Version::V16).database().await;
        let folder = tempfile::tempdir().unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let keys = ("who".to_owned(), "hush".to_owned());
        let mut served = JoinSet::new();
        let place = folder.path().to_owned();
        served.spawn(media_server::serve(listener, place, keys, Vec::new(), CancellationToken::new()));
        let media = Media::open(&MediaSettings {
            endpoint: Some(endpoint),
            region: "local".to_owned(),
            bucket: "songs".to_owned(),
            access_key: "who".to_owned(),
            secret_key: Secret::new("hush"),
            public_endpoint: None,
        })
        .unwrap();
        media.make_bucket().await.unwrap();
        let clock = Arc::new(SystemClock::new());
        let cloud = Cloud { database: database.open(), bus: Bus::local(), media, clock };
        let schema = schema(cloud.clone(), &FrontSettings::default());
        Self { database, cloud, schema, _folder: folder, _served: served }
    }

    /// Somebody with an account and no global role.
    pub(crate) async fn person(&self, name: &str) -> UserId {
        self.database.user(&format!("{name}@example.com"), None).await
    }

    /// Somebody who may open venues.
    pub(crate) async fn manager(&self, name: &str) -> UserId {
        self.database.user(&format!("{name}@example.com"), Some("manager")).await
    }

    fn request(who: Caller, document: &str, variables: Value) -> Request {
        Request::new(document)
            .variables(Variables::from_json(variables))
            .data(Asker::one(who, Visit::default()))
    }

    /// The whole answer: data and errors.
    pub(crate) async fn answer(&self, who: Caller, document: &str, variables: Value) -> Value {
        let response = self.schema.execute(Self::request(who, document, variables)).await;
        serde_json::to_value(&response).unwrap()
    }

    /// The data; there must be no errors.
    pub(crate) async fn ask(&self, who: UserId, document: &str, variables: Value) -> Value {
        let mut answer = self.answer(Caller::User(who), document, variables).await;
        assert!(answer.get("errors").is_none(), "{document}: {answer}");
        answer["data"].take()
    }

    /// What a subscription says.
    pub(crate) fn watch(
        &self,
        who: Caller,
        document: &str,
        variables: Value,
    ) -> impl Stream<Item = Value> + use<> {
        use futures_util::StreamExt as _;
        let answers = self.schema.execute_stream(Self::request(who, document, variables));
        answers.map(|answer| serde_json::to_value(&answer).unwrap())
    }

    /// The payload of a mutation with an input of its own key.
    pub(crate) async fn mutate(&self, who: UserId, name: &str, input: Value, selection: &str) -> Value {
        self.mutate_again(who, name, Uuid::new_v4(), input, selection).await
    }

    /// The same with a key that is given.
    pub(crate) async fn mutate_again(
        &self,
        who: UserId,
        name: &str,
        key: Uuid,
        mut input: Value,
        selection: &str,
    ) -> Value {
        input["idempotencyKey"] = json!(key);
        let title = format!("{}{}", name[..1].to_uppercase(), &name[1..]);
        let document = format!(
            "mutation($input: {title}Input!) {{ {name}(input: $input) {{ {selection} userErrors {{ code message field }} }} }}"
        );
        self.ask(who, &document, json!({ "input": input })).await[name].take()
    }

    /// Opens a venue.
    pub(crate) async fn venue(&self, who: UserId, slug: &str) -> VenueId {
        let input = json!({ "name": slug, "slug": slug, "timeZone": "Europe/Berlin" });
        let payload = self.mutate(who, "createVenue", input, "venue { id }").await;
        VenueId::from_global(done(&payload)["venue"]["id"].as_str().unwrap()).unwrap()
    }

    /// Whose a venue is.
    pub(crate) async fn owner_of(&self, venue: VenueId) -> OrganisationId {
        let id = sqlx::query_scalar("select organisation_id from public.venues where id = $1")
            .bind(venue.0)
            .fetch_one(&mut self.arrange().await)
            .await
            .unwrap();
        OrganisationId(id)
    }

    /// A song of a venue's catalogue, analysed.
    pub(crate) async fn song(&self, venue: VenueId, title: &str) -> SongId {
        let owner = self.owner_of(venue).await;
        let id: Uuid = sqlx::query_scalar(
            "insert into public.songs (organisation_id, title, artist, album, file_url, object_key, content_sha256,
               content_bytes, content_type, duration_ms, embedding, embedding_model_id, status)
             values ($1, $2, 'Artist of ' || $2, 'Album', 's3://songs/a', 'org/a', sha256(gen_random_uuid()::text::bytea), 1000, 'audio/flac',
               180000, '[0.1,0.2,0.3,0.4,0.5]', 1, 'ready') returning id",
        )
        .bind(owner.0)
        .bind(title)
        .fetch_one(&mut self.arrange().await)
        .await
        .unwrap();
        SongId(id)
    }

    /// What the test arranges behind the cloud's back.
    pub(crate) async fn arrange(&self) -> PgConnection {
        self.database.superuser().await
    }

    /// What the audit log of a venue says, oldest first.
    pub(crate) async fn log(&self, venue: VenueId) -> Vec<String> {
        sqlx::query_scalar("select action from public.audit_log where venue_id = $1 order by id")
            .bind(venue.0)
            .fetch_all(&mut self.arrange().await)
            .await
            .unwrap()
    }
}

/// A payload without refusals.
pub(crate) fn done(payload: &Value) -> &Value {
    assert_eq!(payload["userErrors"], json!([]), "{payload}");
    payload
}

/// The code of a refusal.
pub(crate) fn refused(payload: &Value) -> &str {
    payload["userErrors"][0]["code"].as_str().unwrap_or_else(|| panic!("not refused: {payload}"))
}

pub(crate) fn global(id: impl Id) -> String {
    id.to_global()
}
