//! Whom the program believes.

use roomtone_schema::UserId;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::issuer::{Issuer, Keys, message, with_secret};
use crate::postgres::{Postgres, Version};
use crate::program::Program;
use crate::starting::{replica, variables};

fn changed(claims: &Value, name: &str, value: Value) -> Value {
    let mut claims = claims.clone();
    claims[name] = value;
    claims
}

#[tokio::test]
async fn only_a_token_of_a_person_signed_by_the_issuer_opens_anything() {
    let database = Postgres::start(Version::V16).database().await;
    let (keys, others) = (Keys::new("a"), Keys::new("a"));
    let issuer = Issuer::publishing(&[&keys]).await;
    let replica = replica(&database, &issuer).await;
    let user = database.user("a@b.c", None).await;
    let good = issuer.claims(user);
    assert!(replica.knows(&keys.sign(&good)).await);
    assert!(replica.knows(&keys.sign(&changed(&good, "aud", json!(["x", "authenticated"])))).await);

    let hs256 = json!({ "alg": "HS256", "typ": "JWT", "kid": "a" });
    let ended = issuer.claims_for(user, -31);
    let mut without_role = good.clone();
    without_role.as_object_mut().unwrap().remove("role");
    let stranger = issuer.claims(UserId(Uuid::from_u128(4)));
    let bad = [
        ("signed by somebody else", others.sign(&good)),
        ("the public key as a shared secret", with_secret(keys.point(), &hs256, &good)),
        ("an empty shared secret", with_secret(b"", &json!({ "alg": "HS256" }), &good)),
        ("no algorithm", format!("{}.", message(&json!({ "alg": "none", "kid": "a" }), &good))),
        ("another issuer", keys.sign(&changed(&good, "iss", json!("https://other.supabase.co/auth/v1")))),
        ("another audience", keys.sign(&changed(&good, "aud", json!("anon")))),
        ("ended", keys.sign(&ended)),
        ("service_role", keys.sign(&changed(&good, "role", json!("service_role")))),
        ("anon", keys.sign(&changed(&good, "role", json!("anon")))),
        ("no role", keys.sign(&without_role)),
        ("anonymous", keys.sign(&changed(&good, "is_anonymous", json!(true)))),
        ("no id", keys.sign(&changed(&good, "sub", json!("admin")))),
        ("no account", keys.sign(&stranger)),
        ("not a token", "roomtone".to_owned()),
    ];
    for (what, token) in &bad {
        assert!(!replica.knows(token).await, "{what} was believed");
    }
    let mut socket = replica.socket(&bad[0].1).await;
    assert_eq!(socket.closed().await, 4403);
    let refused: f64 = replica.metric("tokens_refused_total{reason=\"role\"}").await;
    assert!(refused >= 3.0);
}

#[tokio::test]
async fn whoever_comes_first_gets_a_profile() {
    let database = Postgres::start(Version::V16).database().await;
    let keys = Keys::new("a");
    let issuer = Issuer::publishing(&[&keys]).await;
    let user = database.user("a@b.c", None).await;
    let mut conn = database.superuser().await;
    // As where the trigger of the sign-up could not do it.
    sqlx::query("delete from public.profiles where id = $1").bind(user.0).execute(&mut conn).await.unwrap();
    let replica = replica(&database, &issuer).await;
    assert!(replica.knows(&keys.sign(&issuer.claims(user))).await);
    let email: String = sqlx::query_scalar("select email from public.profiles where id = $1")
        .bind(user.0)
        .fetch_one(&mut conn)
        .await
        .unwrap();
    assert_eq!(email, "a@b.c");
}

#[tokio::test]
async fn a_flood_of_made_up_keys_costs_the_issuer_one_question() {
    let database = Postgres::start(Version::V16).database().await;
    let (keys, made_up) = (Keys::new("a"), Keys::new("made up"));
    let issuer = Issuer::publishing(&[&keys]).await;
    let replica = replica(&database, &issuer).await;
    let user = database.user("a@b.c", None).await;
    assert!(replica.knows(&keys.sign(&issuer.claims(user))).await);
    let before = issuer.asked();
    for _ in 0..50 {
        assert!(!replica.knows(&made_up.sign(&issuer.claims(user))).await);
    }
    assert!(issuer.asked() <= before + 1, "asked {} times more", issuer.asked() - before);
}

/// As a project does it: the new key is published beside the old one, then signs, then the old one is taken away.
#[tokio::test]
async fn keys_are_rotated_without_anybody_being_locked_out() {
    let database = Postgres::start(Version::V16).database().await;
    let (old, new) = (Keys::new("old"), Keys::new("new"));
    let issuer = Issuer::publishing(&[&old, &new]).await;
    let first = replica(&database, &issuer).await;
    let claims = issuer.claims(database.user("a@b.c", None).await);
    assert!(first.knows(&old.sign(&claims)).await);
    assert!(first.knows(&new.sign(&claims)).await);
    issuer.publish(&[&new]);
    let second = replica(&database, &issuer).await;
    assert!(second.knows(&new.sign(&claims)).await);
    assert!(!second.knows(&old.sign(&claims)).await, "the key was taken away");
    issuer.goes_out_of_order();
    assert!(first.knows(&new.sign(&claims)).await, "the last keys hold");
}

#[tokio::test]
async fn while_the_issuer_is_out_of_order_a_replica_starts_and_says_so() {
    let database = Postgres::start(Version::V16).database().await;
    let keys = Keys::new("a");
    let issuer = Issuer::publishing(&[&keys]).await;
    issuer.goes_out_of_order();
    let replica = replica(&database, &issuer).await;
    let token = keys.sign(&issuer.claims(database.user("a@b.c", None).await));
    assert!(!replica.knows(&token).await);
    let (status, health) = replica.health().await;
    assert_eq!((status, health["status"].as_str()), (200, Some("degraded")), "{health}");
    issuer.publish(&[&keys]);
    crate::program::eventually("the keys come", async || replica.knows(&token).await).await;
}

#[tokio::test]
async fn a_shared_secret_works_where_it_is_set_and_is_warned_about() {
    let database = Postgres::start(Version::V16).database().await;
    // As where the project is about to move on: its new key is published, and does not sign yet.
    let coming = Keys::new("coming");
    let issuer = Issuer::publishing(&[&coming]).await;
    let claims = issuer.claims(database.user("a@b.c", None).await);
    let token = with_secret(
        b"the project's secret, which is long enough",
        &json!({ "alg": "HS256", "typ": "JWT" }),
        &claims,
    );
    let without = replica(&database, &issuer).await;
    assert!(!without.knows(&token).await);
    let mut variables = variables(&database.url, &issuer.project);
    variables.push(("JWT_SECRET", "the project's secret, which is long enough"));
    let with = Program::up(&["serve"], &variables).await;
    assert!(with.knows(&token).await);
    assert!(with.knows(&coming.sign(&claims)).await);
    let forged = with_secret(coming.point(), &json!({ "alg": "HS256", "kid": "coming" }), &claims);
    assert!(!with.knows(&forged).await);
    let forged = with_secret(b"another secret", &json!({ "alg": "HS256" }), &claims);
    assert!(!with.knows(&forged).await);
    assert!(with.said().contains("whoever has it can be anybody here"), "{}", with.said());
}
