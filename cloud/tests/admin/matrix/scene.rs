//! The people who ask, and a venue in which everything that can be asked for is there.

use std::collections::BTreeMap;
use std::pin::pin;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::StreamExt as _;
use roomtone_schema::{
    AuditEntryId, Clock as _, DeadLetterId, ExportId, HubId, OrganisationId, PairingId, PlayId, PlayerId,
    SongId, SystemClock, UploadId, UserId, VenueId, ZoneId,
};
use roomtone_server::caller::Caller;
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::ask::Ask;
use crate::place::{Place, global};

/// Who asks: nobody; somebody whose token has expired; a box, which has no account; somebody with an account and no
/// venue; who runs another organisation; and of this venue a viewer, a manager, an owner; and an admin of everything.
pub(crate) const WHO: [&str; 9] =
    ["anonymous", "expired", "hub", "listener", "other", "viewer", "manager", "owner", "admin"];

/// A word that stands in everything of the venue that is asked about, and nowhere else.
const SECRET: &str = "sesame";

pub(crate) struct Scene {
    place: Place,
    conn: PgConnection,
    people: BTreeMap<&'static str, UserId>,
    /// What is asked about, by the placeholder that stands for it.
    things: BTreeMap<&'static str, String>,
    venue: VenueId,
}

impl Scene {
    pub(crate) async fn set() -> Self {
        let place = Place::new().await;
        let mut people = BTreeMap::new();
        for who in ["listener", "other"] {
            people.insert(who, place.manager(who).await);
        }
        for who in ["viewer", "manager", "owner"] {
            people.insert(who, place.person(&format!("{SECRET}-{who}")).await);
        }
        people.insert("admin", place.database.user("admin@example.com", Some("admin")).await);
        place.venue(people["other"], "elsewhere").await;
        let conn = place.arrange().await;
        let mut scene = Self { place, conn, people, things: BTreeMap::new(), venue: VenueId(Uuid::nil()) };
        scene.renew().await;
        scene
    }

    /// A venue of its own for what is asked next.
    pub(crate) async fn renew(&mut self) {
        let venue = self.place.database.venue(self.people["owner"]).await;
        for who in ["viewer", "manager"] {
            self.place.database.member(venue, self.people[who], who).await;
        }
        let member = self.place.person(&format!("{SECRET}-{}", Uuid::new_v4())).await;
        self.place.database.member(venue, member, "viewer").await;
        let email = format!("{SECRET}-{}@example.com", Uuid::new_v4());
        self.place.database.user(&email, None).await;
        self.venue = venue;
        let row: (Uuid, Uuid, Uuid, Uuid, Uuid, Uuid, Uuid, Uuid) = sqlx::query_as(
            "with v as (update public.venues set name = 'sesame venue' where id = $1 returning id, organisation_id),
               o as (update public.organisations set name = 'sesame house' where id = (select organisation_id from v) returning id),
               main as (insert into public.zones (venue_id, name) select id, 'main' from v),
               z as (insert into public.zones (venue_id, name, settings) select id, 'sesame garden', '{\"schedule\": {
                 \"hours\": [{\"days\": [\"mon\"], \"from\": \"08:00\", \"to\": \"18:00\"}],
                 \"dayparts\": [{\"name\": \"noon\", \"days\": [\"mon\"], \"from\": \"12:00\", \"to\": \"14:00\"}]}}' from v returning id),
               zf as (insert into public.zone_fairness (zone_id, venue_id, told_at, told) select z.id, v.id, now(),
                 '{\"people\": 3, \"now\": {\"mean\": 0.5, \"worst\": 0.4, \"longest_drought\": 1}, \"days\": [[20420,
                   {\"visits\": 3, \"songs\": 9, \"fares\": {\"mean\": 0.5, \"worst\": 0.4, \"longest_drought\": 1}}]]}' from v, z),
               h as (insert into public.hubs (venue_id, name, public_key, enrolled_at) select id, 'sesame hub', sha256(gen_random_uuid()::text::bytea), now() from v returning id),
               s as (insert into public.songs (organisation_id, title, artist, file_url, object_key, content_sha256, content_bytes, content_type, duration_ms, embedding, embedding_model_id, status)
                     select organisation_id, 'sesame song', 'sesame', 's3://songs/a', 'org/a', sha256(gen_random_uuid()::text::bytea), 1, 'audio/flac', 1, '[1,0,0,0,0]', 1, 'ready' from v returning id),
               o2 as (insert into public.songs (organisation_id, title, file_url, object_key, content_sha256, content_bytes, content_type, duration_ms, status)
                     select organisation_id, 'sesame other', 's3://songs/b', 'org/b', sha256(gen_random_uuid()::text::bytea), 1, 'audio/flac', 1, 'ready' from v returning id),
               rt as (insert into private.rooms_told (venue_id, zone_id, hub_id, place, told, told_at, ahead) select v.id, z.id, h.id, 0,
                 jsonb_build_object('now', jsonb_build_object('song', s.id, 'started_at', (extract(epoch from now()) * 1000)::bigint, 'position_ms', 0), 'next', '[]'::jsonb,
                   'axes', '[0.1, 0.2, 0.3, 0.4, 0.5]'::jsonb, 'consensus', 0.5, 'listeners', 3, 'source', 'listeners',
                   'needs_screen_code', false, 'hours', jsonb_build_object('as_of', 0, 'is_open', true, 'closes_at', null, 'opens_at', null, 'daypart', 'sesame')), now(), array[o2.id] from v, z, h, s, o2),
               p as (insert into public.players (venue_id, hub_id, zone_id, name, current_song_id, volume_percent) select v.id, h.id, z.id, 'sesame player', s.id, 50 from v, h, z, s returning id),
               f as (insert into public.songs_playing (id, venue_id, zone_id, player_id, song_id, played_at) select private.uuid7(now() - interval '1 hour'), v.id, z.id, p.id, s.id, now() - interval '1 hour' from v, z, p, s returning id),
               e as (insert into public.history_exports (venue_id, range_from, range_to, format) select id, now() - interval '1 day', now(), 'csv' from v returning id),
               a as (insert into public.audit_log (organisation_id, venue_id, actor_id, action, target) select organisation_id, id, $2, 'venue.created', 'sesame' from v returning id)
             select o.id, z.id, h.id, s.id, p.id, f.id, e.id, a.id from o, z, h, s, p, f, e, a",
        )
        .bind(venue.0)
        .bind(self.people["owner"].0)
        .fetch_one(&mut self.conn)
        .await
        .unwrap();
        sqlx::query("insert into public.venue_songs (venue_id, song_id) values ($1, $2)")
            .bind(venue.0)
            .bind(row.3)
            .execute(&mut self.conn)
            .await
            .unwrap();
        self.name(venue, member, email, row);
        sqlx::query("insert into private.guest_doors (venue_id, code) values ($1, 'SESAME0000')")
            .bind(venue.0)
            .execute(&mut self.conn)
            .await
            .unwrap();
        let letter: Uuid = sqlx::query_scalar(
            "insert into public.sync_quarantine (hub_id, hub_epoch, seq, venue_id, kind, payload, outcome, error)
             values ($1, 1, 1, $2, 'vote_cast', '{\"sesame\": 1}', 'rejected', 'sesame') returning id",
        )
        .bind(row.2)
        .bind(venue.0)
        .fetch_one(&mut self.conn)
        .await
        .unwrap();
        self.things.insert("$DeadLetter", global(DeadLetterId(letter)));
        let pairing: Uuid = sqlx::query_scalar(
            "insert into public.player_pairings (id, venue_id, hub_id, zone_id, name, digits, player_id, expires_at)
             select private.uuid7(), $1, $2, $3, 'sesame', '73737373', $4, now() + interval '5 minutes' returning id",
        )
        .bind(venue.0)
        .bind(row.2)
        .bind(row.1)
        .bind(row.4)
        .fetch_one(&mut self.conn)
        .await
        .unwrap();
        self.things.insert("$PlayerPairing", global(PairingId(pairing)));
        for (placeholder, state, refusal) in
            [("$SongUpload", "waiting", None), ("$RefusedUpload", "refused", Some("UNSUPPORTED"))]
        {
            let id: Uuid = sqlx::query_scalar(
                "insert into public.song_uploads (id, organisation_id, filename, object_key, content_sha256, content_bytes, content_type, state, refusal_code, refusal, expires_at)
                 select id, $1, 'sesame.flac', 'staging/' || id, sha256('sesame'), 9, 'audio/flac', $2, $3, $3, now() + interval '1 hour'
                 from (select private.uuid7() as id) made returning id",
            )
            .bind(row.0)
            .bind(state)
            .bind(refusal)
            .fetch_one(&mut self.conn)
            .await
            .unwrap();
            self.things.insert(placeholder, global(UploadId(id)));
        }
    }

    fn name(
        &mut self,
        venue: VenueId,
        member: UserId,
        email: String,
        row: (Uuid, Uuid, Uuid, Uuid, Uuid, Uuid, Uuid, Uuid),
    ) {
        let now = DateTime::<Utc>::from_timestamp_millis(SystemClock::new().wall().0).unwrap();
        let at = |hours| (now + TimeDelta::hours(hours)).to_rfc3339();
        let (organisation, zone, hub, song, player, play, export, line) = row;
        self.things = BTreeMap::from([
            ("$Venue", global(venue)),
            ("$User", global(member)),
            ("$EMAIL", email),
            ("$Organisation", global(OrganisationId(organisation))),
            ("$Zone", global(ZoneId(zone))),
            ("$Hub", global(HubId(hub))),
            ("$Song", global(SongId(song))),
            ("$Player", global(PlayerId(player))),
            ("$Play", global(PlayId(play))),
            ("$HistoryExport", global(ExportId(export))),
            ("$AuditEntry", global(AuditEntryId(line))),
            ("$RANGE", format!("{{ from: \"{}\", to: \"{}\" }}", at(-24), at(1))),
            ("$SHA256", "ab".repeat(32)),
            ("$SLUG", format!("new-{}", Uuid::new_v4().simple())),
        ]);
    }

    fn caller(&self, who: &str) -> Caller {
        match who {
            "anonymous" => Caller::Anonymous,
            "expired" => Caller::Unknown,
            "hub" => Caller::Player(PlayerId(Uuid::nil())),
            _ => Caller::User(self.people[who]),
        }
    }

    /// The first answer to a question.
    pub(crate) async fn ask(&self, who: &str, ask: &Ask) -> Value {
        let mut document = ask.document.replace("$KEY", &Uuid::new_v4().to_string());
        // The longer names first: `$Play` begins `$Player`.
        for (placeholder, value) in self.things.iter().rev() {
            document = document.replace(placeholder, value);
        }
        if ask.subscribes {
            let mut answers = pin!(self.place.watch(self.caller(who), &document, json!({})));
            return answers.next().await.unwrap();
        }
        let before = if ask.changes && is_outsider(who) { Some(self.digest().await) } else { None };
        let answer = self.place.answer(self.caller(who), &document, json!({})).await;
        if let Some(before) = before {
            assert_eq!(self.digest().await, before, "{who} changed something by {document}");
        }
        answer
    }

    /// Outsiders read nothing of the venue, in whatever words.
    pub(crate) async fn assert_no_harm(&self, who: &str, ask: &Ask, answer: &Value) {
        let text = answer.to_string();
        assert!(!is_outsider(who) || !text.contains(SECRET), "{who} asks {}: {text}", ask.line);
        assert!(!text.contains("INTERNAL"), "{who} asks {}: {text}", ask.line);
    }

    /// All that the venue is, in a word.
    async fn digest(&self) -> String {
        sqlx::query_scalar(
            "select md5(concat(
               (select v from public.venues v where id = $1), (select o from public.organisations o join public.venues v on v.organisation_id = o.id where v.id = $1),
               (select string_agg(z::text, ',' order by z.id) from public.zones z where venue_id = $1),
               (select string_agg(m::text, ',' order by m.user_id) from public.venue_members m where venue_id = $1),
               (select string_agg(h::text, ',' order by h.id) from public.hubs h where venue_id = $1),
               (select string_agg(q::text, ',' order by q.id) from public.sync_quarantine q where venue_id = $1),
               (select string_agg(p::text, ',' order by p.id) from public.players p where venue_id = $1),
               (select string_agg(p::text, ',' order by p.id) from public.player_pairings p where venue_id = $1),
               (select string_agg(s::text, ',' order by s.id) from public.songs s join public.venues v using (organisation_id) where v.id = $1),
               (select string_agg(a::text, ',' order by a.song_id) from public.venue_songs a where venue_id = $1),
               (select string_agg(e::text, ',' order by e.id) from public.history_exports e where venue_id = $1),
               (select string_agg(u::text, ',' order by u.id) from public.song_uploads u join public.venues v using (organisation_id) where v.id = $1),
               (select count(*) from public.audit_log where venue_id = $1),
               (select count(*) from public.venues v where v.organisation_id = (select organisation_id from public.venues where id = $1))))",
        )
        .bind(self.venue.0)
        .fetch_one(&mut self.place.arrange().await)
        .await
        .unwrap()
    }
}

/// Who has nothing to do with the venue.
pub(crate) fn is_outsider(who: &str) -> bool {
    !matches!(who, "viewer" | "manager" | "owner" | "admin")
}
