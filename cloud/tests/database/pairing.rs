//! Players that are let in from here: which hub gets the code, for how long, and where it never lies.

#![expect(clippy::unwrap_used, reason = "the stage is part of the tests")]

use std::time::Duration;

use roomtone_cloud::pairings::{PairingCode, Stored};
use roomtone_cloud::store::pairings::{self, NewPairing};
use roomtone_schema::id::Id as _;
use roomtone_schema::{PairingId, PlayerId, UserId, VenueId, ZoneId};
use roomtone_sync::store::{CloudStore as _, KnownHub};
use roomtone_sync::wire::{Cursor, Page, PairingNews, PullAsk, decode_noun};
use uuid::Uuid;

use crate::postgres::{Version, run};
use crate::sync::{Stage, hub};

const LASTS: Duration = Duration::from_mins(5);
const MOST: i32 = 4;

/// A venue with a hub, an owner and a zone.
struct Door {
    stage: Stage,
    owner: UserId,
    zone: ZoneId,
}

fn numbered(n: u128) -> PairingId {
    PairingId::from_uuid(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 | n))
}

impl Door {
    async fn open() -> Self {
        let mut stage = Stage::on(Version::V18).await;
        let owner: Uuid = sqlx::query_scalar("select user_id from public.venue_members where role = 'owner'")
            .fetch_one(&mut stage.eyes)
            .await
            .unwrap();
        let zone: Uuid = sqlx::query_scalar(
            "insert into public.zones (venue_id, name) select id, 'terrace' from public.venues returning id",
        )
        .fetch_one(&mut stage.eyes)
        .await
        .unwrap();
        Self { stage, owner: UserId(owner), zone: ZoneId(zone) }
    }

    fn wish(&self, n: u128) -> NewPairing<'static> {
        NewPairing {
            id: numbered(n),
            hub: Some(self.stage.hub.id),
            venue: None,
            name: Some("Bar"),
            zone: Some(self.zone),
        }
    }

    async fn begin_as(&self, user: UserId, wish: NewPairing<'_>) -> Result<PairingCode, String> {
        let code = PairingCode::fresh().unwrap();
        let mut work = self.stage.test.open().as_user(user).await.unwrap();
        match pairings::open(&mut work, &wish, &code, LASTS, MOST).await {
            Ok(_) => work.commit().await.map(|()| code).map_err(|error| error.to_string()),
            Err(error) => Err(error.as_database_error().unwrap().code().unwrap().into_owned()),
        }
    }

    async fn begin(&self, n: u128) -> PairingCode {
        self.begin_as(self.owner, self.wish(n)).await.unwrap()
    }

    async fn code_for(&self, hub: &KnownHub, n: u128) -> Option<String> {
        let mut work = self.stage.test.open().as_hub(hub.id, hub.venue).await.unwrap();
        let code = pairings::code(&mut work, numbered(n)).await.unwrap();
        if let Some((_, left_ms)) = &code {
            assert!((1..=300_000).contains(left_ms), "{left_ms}");
        }
        code.map(|(digits, _)| digits)
    }

    async fn tell(&self, hub: &KnownHub, n: u128, state: Stored, player: Option<PlayerId>) -> bool {
        let mut work = self.stage.test.open().as_hub(hub.id, hub.venue).await.unwrap();
        let is_news = pairings::tell(&mut work, numbered(n), state, player).await.unwrap();
        work.commit().await.unwrap();
        is_news
    }

    async fn state(&self, n: u128) -> Stored {
        let mut work = self.stage.test.open().as_user(self.owner).await.unwrap();
        pairings::find(&mut work, &[numbered(n)]).await.unwrap()[0].state.0
    }

    async fn pull(&self, hub: &KnownHub, from: Cursor) -> Page {
        let scope = hub.scopes()[1];
        self.stage.store.pull(hub, PullAsk { scope, from, limit: 5_000 }).await.unwrap()
    }
}

#[tokio::test]
async fn the_hub_that_it_is_for_gets_the_code_and_nobody_else_and_no_row_has_it() {
    let mut door = Door::open().await;
    let ours = door.stage.hub.clone();
    let other = hub(&door.stage.test, &door.stage.store, ours.venue, "Other").await;
    let at = door.pull(&ours, Cursor::default()).await.to;
    let code = door.begin(1).await;
    for hub in [&ours, &other] {
        let page = door.pull(hub, at).await;
        assert_eq!((page.rows.len(), page.rows[0].kind.as_str()), (1, "player_pairing"));
        let body = page.rows[0].body.as_ref().unwrap();
        assert!(!body.windows(8).any(|eight| eight == code.digits().as_bytes()));
        let news: PairingNews = decode_noun(body).unwrap();
        assert_eq!(
            (news.hub, news.name.as_deref(), news.zone.as_deref()),
            (ours.id, Some("Bar"), Some("terrace"))
        );
    }
    assert_eq!(door.code_for(&other, 1).await, None);
    assert!(!door.tell(&other, 1, Stored::Paired, None).await);
    // An answer that is lost is given again, until the window is open; then it is nowhere.
    assert_eq!(door.code_for(&ours, 1).await.as_deref(), Some(code.digits()));
    assert_eq!(door.code_for(&ours, 1).await.as_deref(), Some(code.digits()));
    let before = door.pull(&ours, at).await.to;
    assert!(door.tell(&ours, 1, Stored::Ready, None).await);
    assert_eq!((door.code_for(&ours, 1).await, door.state(1).await), (None, Stored::Ready));
    assert_eq!(door.pull(&ours, before).await.rows, [], "that its window is open is no news for the hub");
    let left: i64 =
        sqlx::query_scalar("select count(*) from public.player_pairings where digits is not null")
            .fetch_one(&mut door.stage.eyes)
            .await
            .unwrap();
    assert_eq!(left, 0);

    let player = PlayerId::from_uuid(Uuid::from_u128(9));
    assert!(door.tell(&ours, 1, Stored::Paired, Some(player)).await);
    let page = door.pull(&ours, before).await;
    assert_eq!((page.rows.len(), &page.rows[0].body), (1, &None), "what is over is gone");
    for late in [Stored::Closed, Stored::UsedUp, Stored::Ready] {
        assert!(!door.tell(&ours, 1, late, None).await, "what is over stays over");
    }
    assert_eq!(door.state(1).await, Stored::Paired);
}

#[tokio::test]
async fn a_hub_has_one_window_and_a_venue_so_many_an_hour() {
    let door = Door::open().await;
    let ours = door.stage.hub.clone();
    let first = door.begin(1).await;
    assert!(door.tell(&ours, 1, Stored::Ready, None).await);
    let second = door.begin(2).await;
    assert_ne!(first, second);
    assert_eq!(door.state(1).await, Stored::Closed);
    assert_eq!(door.code_for(&ours, 1).await, None);

    // Another code for the same: the one before is void, and the row is news again.
    let at = door.pull(&ours, Cursor::default()).await.to;
    let fresh = PairingCode::fresh().unwrap();
    let mut work = door.stage.test.open().as_user(door.owner).await.unwrap();
    pairings::renew(&mut work, numbered(2), &fresh, LASTS).await.unwrap();
    work.commit().await.unwrap();
    assert_eq!(door.code_for(&ours, 2).await.as_deref(), Some(fresh.digits()));
    assert_eq!(door.pull(&ours, at).await.rows.len(), 1);

    let mut work = door.stage.test.open().as_user(door.owner).await.unwrap();
    pairings::close(&mut work, numbered(2)).await.unwrap();
    work.commit().await.unwrap();
    assert_eq!((door.code_for(&ours, 2).await, door.state(2).await), (None, Stored::Closed));
    let mut work = door.stage.test.open().as_user(door.owner).await.unwrap();
    assert!(pairings::renew(&mut work, numbered(2), &fresh, LASTS).await.is_err());
    drop(work);

    door.begin(3).await;
    door.begin(4).await;
    assert_eq!(door.begin_as(door.owner, door.wish(5)).await.unwrap_err(), "RT429");
}

#[tokio::test]
async fn a_code_that_nobody_fetches_ends_with_its_time() {
    let mut door = Door::open().await;
    let ours = door.stage.hub.clone();
    door.begin(1).await;
    let at = door.pull(&ours, Cursor::default()).await.to;
    run(&mut door.stage.eyes, "update public.player_pairings set expires_at = now() where true").await;
    assert_eq!(door.code_for(&ours, 1).await, None);
    assert!(!door.tell(&ours, 1, Stored::Closed, None).await);
    let sweep = async |door: &Door, after: &str| {
        let mut work = door.stage.test.open().as_service().await.unwrap();
        let now = sqlx::query_scalar(sqlx::AssertSqlSafe(format!("select now() + interval '{after}'")));
        let now = now.fetch_one(&mut *work).await.unwrap();
        let gone = pairings::sweep(&mut work, now).await.unwrap();
        work.commit().await.unwrap();
        gone
    };
    assert_eq!(sweep(&door, "1 second").await, 0);
    assert_eq!(door.state(1).await, Stored::Expired);
    let rows = door.pull(&ours, at).await.rows;
    assert!(rows.iter().all(|row| row.body.is_none()), "the hub hears that it is over");
    // It was typed in the last second, and the hub told of it late.
    assert!(door.tell(&ours, 1, Stored::Paired, None).await);
    assert_eq!(sweep(&door, "25 hours").await, 1);
}

#[tokio::test]
async fn only_managers_begin_one_at_a_hub_that_is_let_in() {
    let mut door = Door::open().await;
    let venue = door.stage.venue;
    let only = |venue: VenueId| NewPairing {
        id: numbered(7),
        hub: None,
        venue: Some(venue),
        name: None,
        zone: None,
    };
    let staff = door.stage.test.user("staff@example.com", None).await;
    sqlx::query("insert into public.venue_members (venue_id, user_id, role) values ($1, $2, 'staff')")
        .bind(venue.0)
        .bind(staff.0)
        .execute(&mut door.stage.eyes)
        .await
        .unwrap();
    assert_eq!(door.begin_as(staff, door.wish(1)).await.unwrap_err(), "RT403");
    assert_eq!(door.begin_as(staff, only(venue)).await.unwrap_err(), "RT403");
    let foreign = NewPairing { zone: Some(ZoneId(Uuid::from_u128(5))), ..door.wish(1) };
    assert_eq!(door.begin_as(door.owner, foreign).await.unwrap_err(), "RT404");
    assert!(door.begin_as(door.owner, only(venue)).await.is_ok(), "the only hub need not be said");
    hub(&door.stage.test, &door.stage.store, venue, "Other").await;
    let other = NewPairing { id: numbered(8), ..only(venue) };
    assert_eq!(door.begin_as(door.owner, other).await.unwrap_err(), "RT422", "of several one is said");
    run(&mut door.stage.eyes, "update public.hubs set revoked_at = now() where true").await;
    assert_eq!(door.begin_as(door.owner, other).await.unwrap_err(), "RT409");
    assert_eq!(door.begin_as(door.owner, door.wish(9)).await.unwrap_err(), "RT409");
    assert_eq!(door.code_for(&door.stage.hub, 7).await, None, "who was told to go gets nothing");
}
