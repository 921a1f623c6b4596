//! The manager's page by the PIN: who comes in by it, how often one may try, and what it opens elsewhere: nothing.

use std::time::Duration;

use serde_json::{Value, json};

use crate::secure::Secured;
use crate::venue::{Answer, PATIENCE};

const PIN: &str = "418223";
const OURS: &str = "x-roomtone: manage\r\n";

impl Secured {
    fn host(&self) -> String {
        self.address.to_string()
    }

    /// As the page asks, with its own header.
    async fn manage(&self, method: &str, path: &str, headers: &str, body: &Value) -> Answer {
        let headers = format!("{OURS}{headers}");
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.request(&self.host(), method, &format!("/api/manage{path}"), &headers, &body).await
    }

    async fn try_pin(&self, pin: &str) -> Answer {
        self.manage("POST", "/sign-in", "", &json!({ "pin": pin })).await
    }

    /// Shows the PIN; the cookie.
    async fn sign_in(&self) -> String {
        let answer = self.try_pin(PIN).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        cookie(&answer)
    }

    async fn opens_with(&self, headers: &str) -> u16 {
        self.request(&self.host(), "GET", "/api/manage", headers, "").await.status
    }
}

/// Names and values are as they were sent; the rest of a head is in small letters here.
fn cookie(answer: &Answer) -> String {
    let set = answer.header("set-cookie").unwrap();
    for kept in ["path=/", "secure", "httponly", "samesite=strict", "max-age=43200"] {
        assert!(set.split("; ").any(|part| part == kept), "{kept}: {set}");
    }
    assert!(set.starts_with("__host-roomtone_manager="), "{set}");
    answer.exact_header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn the_pin_opens_the_managers_page_over_tls_and_nothing_else() {
    let scene = Secured::with_songs(1).await;
    let hub = &scene.venue.hub;
    assert_eq!(scene.try_pin(PIN).await.status, 409, "none is set");
    hub.set_pin("418-223").await.unwrap();
    let wrong = scene.try_pin("418224").await;
    assert_eq!((wrong.status, wrong.json()["error"].as_str()), (403, Some("this is not the PIN")));
    assert!(wrong.header("set-cookie").is_none());
    let cookie = scene.sign_in().await;
    let shown = format!("{OURS}cookie: {cookie}\r\n");
    let told = scene.request(&scene.host(), "GET", "/api/manage", &shown, "").await;
    assert_eq!(told.status, 200);
    assert_eq!(
        told.json()["me"],
        json!({ "by": "pin", "has_pin": true, "until_s": 43_200, "wrong_before": 1 })
    );
    // On the hub's own machine, too: a cookie is for TLS alone.
    assert_eq!(scene.venue.get("/api/manage", &shown).await.status, 401);
    let body = json!({ "pin": PIN }).to_string();
    let open = scene.venue.request("POST", "/api/manage/sign-in", OURS, &body).await;
    assert_eq!(open.status, 403);
    assert!(open.json()["error"].as_str().unwrap().contains("over TLS only"));
    let secret = cookie.split_once('=').unwrap().1;
    let asked =
        format!("content-type: application/json\r\nauthorization: Bearer {secret}\r\ncookie: {cookie}\r\n");
    let query = json!({ "query": "{ deadLetters { id } }" }).to_string();
    let graphql = scene.request(&scene.host(), "POST", "/graphql", &asked, &query).await.json();
    assert!(graphql["data"]["deadLetters"].is_null(), "{graphql}");
    assert_eq!(scene.opens_with(&format!("{OURS}authorization: Bearer {secret}\r\n")).await, 401);
}

#[tokio::test]
async fn a_page_elsewhere_does_nothing_with_the_cookie() {
    let scene = Secured::with_songs(1).await;
    scene.venue.hub.set_pin(PIN).await.unwrap();
    let cookie = format!("cookie: {}\r\n", scene.sign_in().await);
    assert_eq!(scene.opens_with(&format!("{OURS}{cookie}")).await, 200);
    assert_eq!(scene.opens_with(&cookie).await, 401, "a form or a picture sets no header");
    let elsewhere = format!("{OURS}{cookie}origin: https://evil.example\r\n");
    assert_eq!(scene.opens_with(&elsewhere).await, 403);
    let body = json!({ "pin": PIN }).to_string();
    let signed_in = scene.request(&scene.host(), "POST", "/api/manage/sign-in", "", &body).await;
    assert_eq!(signed_in.status, 403, "nobody is signed in by a page elsewhere");
    let asks_first = "origin: https://evil.example\r\naccess-control-request-method: POST\r\n\
                      access-control-request-headers: x-roomtone\r\n";
    let answer = scene.request(&scene.host(), "OPTIONS", "/api/manage/skip", asks_first, "").await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (403, None));
}

#[tokio::test]
async fn wrong_pins_are_slowed_and_the_right_one_costs_nothing() {
    let scene = Secured::with_songs(0).await;
    let (hub, clock) = (&scene.venue.hub, &scene.venue.clock);
    hub.set_pin(PIN).await.unwrap();
    for _ in 0..8 {
        scene.sign_in().await;
    }
    for tries in 0..5 {
        assert_eq!(scene.try_pin("918273").await.status, 403, "{tries}");
    }
    let slowed = scene.try_pin(PIN).await;
    assert_eq!(slowed.status, 429, "the right one waits as well: an answer would tell");
    assert!(slowed.json()["error"].as_str().unwrap().contains("try again in 60 seconds"));
    clock.advance(Duration::from_mins(1));
    scene.sign_in().await;
}

#[tokio::test]
async fn wrong_pins_from_everywhere_are_slowed_together() {
    let scene = Secured::with_songs(0).await;
    let hub = &scene.venue.hub;
    hub.set_pin(PIN).await.unwrap();
    let (mut wrong, mut slowed) = (0, 0);
    for source in 0..30_u8 {
        let from = Some(std::net::IpAddr::from([10, 0, 0, source]));
        match hub.check_pin("918273", from).await.unwrap_err() {
            roomtone_hub::manager::PinError::Wrong => wrong += 1,
            roomtone_hub::manager::PinError::TooOften { .. } => slowed += 1,
            other => panic!("{other}"),
        }
    }
    assert_eq!((wrong, slowed), (20, 10));
    let token = hub.mint_manager_token().await.unwrap();
    let bearer = format!("authorization: Bearer {token}\r\n");
    assert_eq!(scene.opens_with(&bearer).await, 200, "the token is the way around");
}

#[tokio::test]
async fn a_session_ends_by_time_by_signing_out_and_by_another_pin() {
    let scene = Secured::with_songs(0).await;
    let (hub, clock) = (&scene.venue.hub, &scene.venue.clock);
    hub.set_pin(PIN).await.unwrap();
    let [first, second] = [scene.sign_in().await, scene.sign_in().await];
    let shown = |cookie: &str| format!("{OURS}cookie: {cookie}\r\n");
    let out = scene.manage("POST", "/sign-out", &format!("cookie: {first}\r\n"), &json!({})).await;
    assert!(out.header("set-cookie").unwrap().contains("max-age=0"));
    assert_eq!(scene.opens_with(&shown(&first)).await, 401);
    assert_eq!(scene.opens_with(&shown(&second)).await, 200);
    let with = format!("cookie: {second}\r\n");
    let unproven = scene.manage("POST", "/pin", &with, &json!({ "pin": "604917" })).await;
    assert_eq!(unproven.status, 403, "who found the desk unattended has not got the PIN");
    let changed = scene.manage("POST", "/pin", &with, &json!({ "pin": "604917", "current": PIN })).await;
    assert_eq!(changed.status, 200, "{}", changed.text());
    assert_eq!(scene.opens_with(&shown(&second)).await, 401);
    let third = cookie(&changed);
    assert_eq!(scene.opens_with(&shown(&third)).await, 200);
    assert_eq!(scene.try_pin(PIN).await.status, 403);
    clock.advance(Duration::from_hours(12));
    assert_eq!(scene.opens_with(&shown(&third)).await, 401);
}

#[tokio::test]
async fn what_the_page_does_needs_somebody_who_has_signed_in() {
    let scene = Secured::with_songs(1).await;
    scene.venue.hub.set_pin(PIN).await.unwrap();
    let asked = [
        ("GET", ""),
        ("POST", "/order"),
        ("POST", "/rename"),
        ("POST", "/remove"),
        ("POST", "/pairing"),
        ("DELETE", "/pairing"),
        ("POST", "/pin"),
        ("POST", "/skip"),
        ("POST", "/week"),
        ("GET", "/fares"),
        ("POST", "/songs?name=a.mp3"),
        ("GET", "/facts"),
        ("POST", "/facts"),
        ("GET", "/poster"),
        ("POST", "/poster"),
        ("DELETE", "/poster"),
        ("POST", "/drill"),
        ("DELETE", "/drill"),
        ("GET", "/backup"),
        ("POST", "/restore"),
    ];
    let guest = format!("authorization: Bearer {}\r\n", scene.venue.check_in().await);
    let player = format!("authorization: Bearer {}\r\n", scene.venue.player_token().await);
    for (method, path) in asked {
        for who in ["", guest.as_str(), player.as_str(), "cookie: __Host-roomtone_manager=x\r\n"] {
            let answer = scene.manage(method, path, who, &json!({})).await;
            assert_eq!(answer.status, 401, "{method} {path} as {who:?}: {}", answer.text());
        }
    }
}

#[tokio::test]
async fn the_week_is_set_here_and_a_file_that_is_too_long_is_not_read() {
    let scene = Secured::with_songs(3).await;
    let hub = &scene.venue.hub;
    hub.set_pin(PIN).await.unwrap();
    let with = format!("cookie: {}\r\n", scene.sign_in().await);
    let told = scene.manage("GET", "", &with, &Value::Null).await.json();
    let zone = &told["rooms"][0]["id"];
    assert_eq!(told["week"], json!({ "of_the_cloud": false, "time_zone": "UTC" }));
    let week = json!({ "hours": [{ "days": ["mon"], "from": "09:00", "to": "17:00" }], "dayparts": [] });
    let set = scene.manage("POST", "/week", &with, &json!({ "zone": zone, "schedule": week })).await;
    assert_eq!((set.status, &set.json()["rooms"][0]["schedule"]), (200, &week));
    for (wrong, status) in [
        (
            json!({ "zone": zone, "schedule": { "hours": [{ "days": [], "from": "09:00", "to": "17:00" }] } }),
            400,
        ),
        (json!({ "zone": "x", "schedule": week }), 404),
        (json!({ "zone": zone, "schedule": { "hours": 7 } }), 400),
    ] {
        let answer = scene.manage("POST", "/week", &with, &wrong).await;
        assert_eq!(answer.status, status, "{wrong}: {}", answer.text());
    }
    let nobody = scene.manage("POST", "/drill", &with, &json!({ "cut": "hub", "minutes": 10 })).await;
    assert_eq!(nobody.status, 409, "a drill that could show nothing is refused");
    assert!(nobody.json()["error"].as_str().unwrap().contains("no player is in reach"));
    let silent = scene.manage("POST", "/skip", &with, &json!({ "zone": zone })).await;
    assert_eq!(silent.status, 404, "nothing plays");
    let long = format!(
        "POST /api/manage/songs?name=a.mp3 HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n{OURS}{with}content-length: 600000000\r\n\r\n",
        scene.host()
    );
    let answer = scene.raw(&long).await;
    assert_eq!(answer.status, 413);
    assert!(answer.json()["error"].as_str().unwrap().contains("at most 512 MB"));
    assert_eq!(std::fs::read_dir(scene.venue.folder().join("incoming")).map_or(0, Iterator::count), 0);
}

#[tokio::test]
async fn what_does_not_come_whole_leaves_nothing_and_makes_room_for_the_next() {
    let scene = Secured::with_songs(0).await;
    let token = scene.venue.hub.mint_manager_token().await.unwrap();
    let send = |length: usize, body: &str| {
        format!(
            "POST /api/manage/restore HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\
             authorization: Bearer {token}\r\ncontent-length: {length}\r\n\r\n{body}",
            scene.host()
        )
    };
    let songs = |length, body| send(length, body).replacen("restore", "songs?name=..%2F..%2Fa.mp3", 1);
    for _ in 0..3 {
        // Who hangs up in the middle is told nothing; the places are two.
        scene.hang_up_after(&songs(5_000, "ID3 and then nothing")).await;
        let incoming = scene.venue.folder().join("incoming");
        let empty = || std::fs::read_dir(&incoming).map_or(0, Iterator::count) == 0;
        let emptied = async {
            while !empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, emptied).await.expect("what has come is gone again");
    }
    let refused = scene.raw(&send(2, "no")).await;
    assert_eq!(refused.status, 409, "{}", refused.text());
}

#[tokio::test]
async fn a_backup_is_the_store_with_no_secret_in_clear() {
    let scene = Secured::with_songs(3).await;
    let hub = &scene.venue.hub;
    hub.set_pin(PIN).await.unwrap();
    let cookie = scene.sign_in().await;
    let with = format!("cookie: {cookie}\r\n");
    let answer = scene.manage("GET", "/backup", &with, &Value::Null).await;
    assert_eq!((answer.status, answer.header("cache-control")), (200, Some("no-store")));
    assert!(answer.header("content-disposition").unwrap().ends_with(".db\""));
    let file = scene.venue.folder().join("taken.db");
    std::fs::write(&file, &answer.body).unwrap();
    assert!(roomtone_hub::store::is_backup(&file));
    let session = cookie.split_once('=').unwrap().1.as_bytes();
    for secret in [PIN.as_bytes(), session] {
        assert!(!answer.body.windows(secret.len()).any(|window| window == secret));
    }
    let left: Vec<_> =
        std::fs::read_dir(scene.venue.folder()).unwrap().flatten().map(|at| at.file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with(".tmp")), "{left:?}");
    let restored = scene.manage("POST", "/restore", &with, &json!({})).await;
    assert_eq!(restored.status, 409, "nobody would start this hub again");
}

#[tokio::test]
async fn a_poster_tells_when_the_hub_has_moved_since() {
    let scene = Secured::with_songs(0).await;
    let hub = &scene.venue.hub;
    hub.set_pin(PIN).await.unwrap();
    let with = format!("cookie: {}\r\n", scene.sign_in().await);
    let told = scene.manage("GET", "/poster", &with, &Value::Null).await.json();
    assert_eq!((&told["printed"], &told["only_here"]), (&Value::Null, &json!(true)));
    assert_eq!(told["url"], format!("http://{}/#code={}", scene.venue.address, scene.venue.code()));
    let printed = scene.manage("POST", "/poster", &with, &Value::Null).await.json();
    assert_eq!(printed["printed"], printed["address"]);
    let old = scene.venue.code();
    let renewed = scene.manage("DELETE", "/poster", &with, &Value::Null).await.json();
    assert_ne!(renewed["code"], json!(old));
    assert_eq!(renewed["code"], json!(scene.venue.code()));
    assert_eq!(scene.manage("GET", "/poster?zone=attic", &with, &Value::Null).await.status, 404);
}

#[tokio::test]
async fn the_setup_code_sets_the_first_pin_once_and_over_tls_alone() {
    let scene = Secured::with_songs(0).await;
    let (hub, clock) = (&scene.venue.hub, &scene.venue.clock);
    let first = hub.open_setup().unwrap();
    let code = hub.open_setup().unwrap();
    let door = scene.manage("GET", "/door", "", &Value::Null).await.json();
    assert_eq!((&door["has_pin"], &door["awaits_setup"]), (&json!(false), &json!(true)));
    let try_with = async |code: &str, pin: &str| {
        scene.manage("POST", "/set-up", "", &json!({ "code": code, "pin": pin })).await
    };
    for wrong in [first.as_str(), "", "nonsense"] {
        assert_eq!(try_with(wrong, PIN).await.status, 409, "{wrong}: a later start has another code");
    }
    let plain = try_with(&code, "123456").await;
    assert_eq!(plain.status, 400, "and the code is still good: {}", plain.text());
    let body = json!({ "code": code, "pin": PIN }).to_string();
    assert_eq!(scene.venue.request("POST", "/api/manage/set-up", OURS, &body).await.status, 403);
    let elsewhere = scene.request(&scene.host(), "POST", "/api/manage/set-up", "", &body).await;
    assert_eq!(elsewhere.status, 403, "a page elsewhere sets no PIN");
    let set = try_with(&code, PIN).await;
    assert_eq!(set.status, 200, "{}", set.text());
    let shown = format!("{OURS}cookie: {}\r\n", cookie(&set));
    assert_eq!(scene.opens_with(&shown).await, 200);
    assert_eq!(try_with(&code, "918273").await.status, 409, "once");
    scene.sign_in().await;
    assert_eq!(hub.open_setup(), None, "there is a PIN");
    clock.advance(Duration::from_hours(1));
    assert!(!hub.awaits_setup());
}

#[tokio::test]
async fn a_setup_code_ends_by_itself_and_with_every_other_way_in() {
    let scene = Secured::with_songs(0).await;
    let (hub, clock) = (&scene.venue.hub, &scene.venue.clock);
    let code = hub.open_setup().unwrap();
    clock.advance(Duration::from_hours(1));
    assert!(hub.set_up(&code, PIN).await.is_err() && !hub.has_pin());
    let code = hub.open_setup().unwrap();
    hub.set_pin("918273").await.unwrap();
    assert!(hub.set_up(&code, PIN).await.is_err(), "whoever set one meanwhile keeps it");
    let scene = Secured::with_songs(0).await;
    let code = scene.venue.hub.open_setup().unwrap();
    scene.venue.hub.mint_manager_token().await.unwrap();
    assert!(scene.venue.hub.set_up(&code, PIN).await.is_err(), "whoever has the token sets the PIN");
    assert_eq!(scene.venue.hub.open_setup(), None, "somebody has been here");
}

#[tokio::test]
async fn the_hub_comes_to_a_cloud_by_its_page_alone_where_a_manager_asks() {
    let scene = Secured::with_songs(0).await;
    let asked = json!({ "cloud": "http://192.0.2.1/", "code": "ABCD-EFGH" });
    assert_eq!(scene.manage("POST", "/enrol", "", &asked).await.status, 401);
    scene.venue.hub.set_pin(PIN).await.unwrap();
    let shown = format!("cookie: {}\r\n", scene.sign_in().await);
    let plain = scene.manage("POST", "/enrol", &shown, &asked).await;
    assert_eq!(plain.status, 400, "nothing goes to a cloud in the open: {}", plain.text());
    assert!(plain.json()["error"].as_str().unwrap().contains("must begin with https://"));
    let closed = json!({ "cloud": "http://127.0.0.1:1", "code": "ABCD-EFGH" });
    let nobody = scene.manage("POST", "/enrol", &shown, &closed).await;
    assert_eq!(nobody.status, 409, "{}", nobody.text());
    assert!(scene.venue.hub.enrolment().is_none());
}
