//! What people are shown works as it stands: the README's section on the API, and the examples of the query page.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::Duration;

use roomtone_tests::{
    Answer, Guest, RunningHub, Subscription, eventually, eventually_within, hub, new_key, workspace,
};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A debug build makes its songs, and the first of them plays, in this time, also on a busy machine.
const PATIENCE: Duration = Duration::from_mins(4);

/// How long an order may take to reach a player before the room is asked again.
const ORDER_TAKES: Duration = Duration::from_secs(3);

struct Demo {
    hub: RunningHub,
    folder: TempDir,
    url: String,
    code: String,
}

impl Demo {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let args = ["--data", data.to_str().unwrap(), "demo", "--no-mdns", "--listen", "127.0.0.1:0"];
        let mut hub = RunningHub::start_with_patience(args, PATIENCE);
        let (url, code) = hub.printed("the page's address", |line| {
            let (url, rest) = line[line.find("http://")?..].split_once("/#code=")?;
            Some((url.to_owned(), rest.split_whitespace().next()?.to_owned()))
        });
        let demo = Self { hub, folder, url, code };
        eventually_within(PATIENCE, "something plays", async || demo.playing().await.is_some()).await;
        demo
    }

    fn somebody(&self) -> Guest {
        Guest::at(&self.url)
    }

    /// The id of the song that plays.
    async fn playing(&self) -> Option<String> {
        let answer = self.somebody().ask("{ nowPlaying { song { id } } }", json!({})).await;
        answer.data()["nowPlaying"]["song"]["id"].as_str().map(str::to_owned)
    }

    fn player_token(&self) -> String {
        let data = self.folder.path().join("data");
        let said = hub(["--data", data.to_str().unwrap(), "player", "add", "example"]).succeeded().stdout;
        said.split([' ', '\n', '"']).max_by_key(|word| word.len()).unwrap().to_owned()
    }
}

#[tokio::test]
async fn what_people_are_shown_of_the_api_works_on_the_demo() {
    let demo = Demo::open().await;
    the_readme_is_true(&demo).await;
    the_query_pages_examples_run(&demo).await;
    demo.hub.stop(&[]);
}

async fn the_readme_is_true(demo: &Demo) {
    let readme = std::fs::read_to_string(workspace::root().join("README.md")).unwrap();
    let section =
        readme.split("\n## The API\n").nth(1).expect("a section on the API").split("\n## ").next().unwrap();
    let song = demo.playing().await.unwrap();
    let fill = |text: &str, token: &str| {
        let text = text.replace("http://hub:4700", &demo.url).replace("8ET7Q-1F7SB", &demo.code);
        text.replace("\"SONG\"", &json!(song).to_string()).replace("TOKEN", token)
    };
    let (mut guest, blocks) = (demo.somebody(), blocks(section));
    let mut kinds = Vec::new();
    for (at, (kind, text)) in blocks.iter().enumerate() {
        let text = fill(text, guest.token().unwrap_or_default());
        match *kind {
            "sh" => run_in_a_shell(&text),
            "graphql" => {
                let variables = blocks.get(at + 1).filter(|(kind, _)| *kind == "json");
                let variables = variables.map_or_else(|| json!({}), |(_, json)| read(&fill(json, "")));
                succeeds(&mut guest, &text, variables).await;
            }
            "jsonl" => hears_something(demo, &text).await,
            "json" => {}
            other => panic!("the README has a block of {other}, which nobody runs"),
        }
        kinds.push(*kind);
    }
    assert_eq!(
        kinds,
        ["sh", "graphql", "json", "graphql", "graphql", "json", "jsonl", "sh"],
        "all blocks were found"
    );
    let schema = std::fs::read_to_string(workspace::root().join("schema/hub.graphql")).unwrap();
    let codes = schema.split("enum UserErrorCode {").nth(1).unwrap().split('}').next().unwrap();
    for code in codes.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('"')) {
        assert!(section.contains(&format!("`{code}`")), "the README does not name {code}");
    }
}

/// The code blocks of a text: the language and the content.
fn blocks(text: &str) -> Vec<(&str, &str)> {
    let fenced = text.split("\n```").skip(1).step_by(2);
    fenced.filter_map(|block| block.split_once('\n')).collect()
}

/// Runs an operation and panics where anything is refused; keeps the token that it hands out.
async fn succeeds(guest: &mut Guest, query: &str, variables: Value) -> Answer {
    if query.trim_start().starts_with("subscription") {
        let mut events = guest.subscribe(query).await;
        let body = json!({ "data": events.next_within(PATIENCE).await });
        return Answer { status: 200, body };
    }
    let answer = guest.ask(query, variables).await;
    assert_eq!(answer.status, 200, "{query}\n{:#}", answer.body);
    for payload in answer.data().as_object().unwrap().values() {
        let refused =
            payload.get("userErrors").and_then(Value::as_array).is_some_and(|errors| !errors.is_empty());
        assert!(!refused, "{query}\n{payload:#}");
    }
    if let Some(token) = answer.data()["checkIn"]["token"].as_str() {
        guest.use_token(token);
    }
    answer
}

/// Runs a shell block: what it prints is an answer without errors, or a stream of them (then the first is enough).
fn run_in_a_shell(script: &str) {
    let mut command = Command::new("bash");
    command.args(["-euc", script]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut said = child.stdout.take().unwrap();
    if script.contains("curl -N") {
        let mut text = String::new();
        let mut byte = [0];
        while !text.ends_with("\n\n") || !text.contains("event: next") {
            assert_eq!(said.read(&mut byte).unwrap(), 1, "the stream ended: {script}\n{text}");
            text.push(char::from(byte[0]));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(text.contains("\"data\":") && !text.contains("\"errors\""), "{script}\n{text}");
        return;
    }
    let mut text = String::new();
    said.read_to_string(&mut text).unwrap();
    assert!(child.wait().unwrap().success(), "{script}\n{text}");
    let answer = read(&text);
    assert!(answer["data"].is_object() && answer.get("errors").is_none(), "{script}\n{answer:#}");
}

/// Says a few lines on a WebSocket and waits for the first event.
async fn hears_something(demo: &Demo, lines: &str) {
    let lines = lines.lines().filter(|line| !line.trim().is_empty()).map(read).collect();
    let mut socket = Subscription::speak(&demo.url.replacen("http", "ws", 1), lines).await;
    socket.next_within(PATIENCE).await;
}

async fn the_query_pages_examples_run(demo: &Demo) {
    let file = workspace::root().join("schema/server/ui/query/examples.json");
    let examples = read(&std::fs::read_to_string(file).unwrap());
    let (mut anyone, mut player) = (demo.somebody(), demo.somebody());
    player.use_token(&demo.player_token());
    for example in examples.as_array().unwrap() {
        let song = demo.playing().await.unwrap();
        let variables = example["variables"].to_string().replace("{{key}}", &new_key());
        let variables = read(&variables.replace("{{song}}", &song).replace("{{code}}", &demo.code));
        let (title, query) = (example["title"].as_str().unwrap(), example["query"].as_str().unwrap());
        match example["as"].as_str().unwrap() {
            "player" if query.contains("playerCommands") => hears_orders(demo, &player, query).await,
            "player" => drop(succeeds(&mut player, query, variables).await),
            // The page, too, goes on with the token of whoever checked in.
            "anyone" | "listener" => drop(succeeds(&mut anyone, query, variables).await),
            other => panic!("{title}: who is {other}?"),
        }
    }
}

/// A room that skips is an order to its players.
async fn hears_orders(demo: &Demo, player: &Guest, query: &str) {
    let mut room = [demo.somebody(), demo.somebody()];
    for guest in &mut room {
        guest.check_in(&demo.code, "in a hurry").await;
    }
    let mut orders = player.subscribe(query).await;
    loop {
        for guest in &room {
            guest.mutate("voteToSkip", "VoteToSkipInput", json!({}), "nowPlaying { skipVotes }").await;
        }
        // The subscription may have begun after the skip: then the room skips the next song as well.
        if tokio::time::timeout(ORDER_TAKES, orders.next_within(PATIENCE)).await.is_ok() {
            break;
        }
        eventually("another song plays", async || demo.playing().await.is_some()).await;
    }
}

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| panic!("not JSON: {text}"))
}
