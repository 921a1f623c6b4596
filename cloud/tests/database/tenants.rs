//! Who may do what with which row, tried: every table, every asker, every action, with their own rows and with those of
//! another tenant. A table that is new and not in the list fails.

use std::collections::BTreeMap;

use rstest::rstest;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};

use crate::postgres::{Postgres, TestDatabase, Version, run};

/// Whoever asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Asker {
    Owner,
    Manager,
    Staff,
    Viewer,
    Hub,
    Guest,
    Service,
    Stranger,
    Anonymous,
}

use Asker::{Anonymous, Guest, Hub, Manager, Owner, Service, Staff, Stranger, Viewer};

impl Asker {
    const ALL: [Self; 9] = [Owner, Manager, Staff, Viewer, Hub, Guest, Service, Stranger, Anonymous];

    /// Becomes this asker of tenant `n` until the transaction ends.
    pub(crate) fn become_sql(self, n: u8) -> String {
        let person = |place: u8| {
            let id = format!("00000000-0000-7000-8000-0000000{n}000{place}");
            format!(
                "set local role authenticated; set local request.jwt.claims = '{{\"sub\":\"{id}\",\"role\":\"authenticated\"}}'"
            )
        };
        match self {
            Owner => person(1),
            Manager => person(2),
            Staff => person(3),
            Viewer => person(4),
            Stranger => person(9),
            Hub => format!(
                "set local role roomtone_hub; set local roomtone.hub_id = '00000000-0000-7000-8000-0000000{n}0040';
                 set local roomtone.venue_id = '00000000-0000-7000-8000-0000000{n}0020'"
            ),
            Guest => format!(
                "set local role roomtone_guest; set local roomtone.guest_venue = '00000000-0000-7000-8000-0000000{n}0020'"
            ),
            Service => "set local role roomtone_cloud".to_owned(),
            Anonymous => "set local role anon".to_owned(),
        }
    }

    fn role(self) -> &'static str {
        match self {
            Hub => "roomtone_hub",
            Guest => "roomtone_guest",
            Service => "roomtone_cloud",
            Anonymous => "anon",
            _ => "authenticated",
        }
    }
}

/// What may be done with rows of one's own tenant: (s)elect, (i)nsert, (u)pdate, (d)elete. Strangers and anonymous ones
/// may do nothing anywhere, and nobody but the service anything with rows of another tenant.
#[rustfmt::skip]
const OWN: &[(&str, [&str; 7])] = &[
    //                            owner   manager staff   viewer  hub     guest   service
    ("private.clock_samples",     ["",     "",     "",     "",     "si",   "",     "s"]),
    ("private.effective_votes",   ["",     "",     "",     "",     "siu",  "",     "s"]),
    ("private.feed",              ["",     "",     "",     "",     "s",    "",     "s"]),
    ("private.feed_heads",        ["",     "",     "",     "",     "s",    "",     "s"]),
    ("private.feed_rows",         ["",     "",     "",     "",     "s",    "",     "s"]),
    ("private.guest_devices",     ["",     "",     "",     "",     "",     "",     "s"]),
    ("private.guest_doors",       ["",     "",     "",     "",     "",     "",     "s"]),
    ("private.guest_keys",        ["",     "",     "",     "",     "",     "",     "s"]),
    ("private.guest_limits",      ["",     "",     "",     "",     "",     "",     "s"]),
    ("private.guest_sessions",    ["",     "",     "",     "",     "s",    "",     "s"]),
    ("private.guest_skips",       ["",     "",     "",     "",     "s",    "",     "s"]),
    ("private.guest_votes",       ["",     "",     "",     "",     "s",    "",     "s"]),
    ("private.rooms_told",        ["s",    "s",    "s",    "s",    "siu",  "s",    "s"]),
    ("private.snapshots",         ["",     "",     "",     "",     "",     "",     "siu"]),
    ("private.song_aliases",      ["",     "",     "",     "",     "s",    "",     "s"]),
    ("private.sync_received",     ["",     "",     "",     "",     "siu",  "",     ""]),
    ("private.venue_people",      ["",     "",     "",     "",     "siu",  "",     "s"]),
    ("private.zone_aliases",      ["",     "",     "",     "",     "siu",  "",     "s"]),
    ("public.audit_log",          ["s",    "s",    "",     "",     "",     "",     "si"]),
    ("public.guests",             ["",     "",     "",     "",     "si",   "",     "s"]),
    ("public.history_exports",    ["s",    "s",    "",     "",     "",     "",     "sud"]),
    ("public.hubs",               ["s",    "s",    "s",    "s",    "s",    "s",    "su"]),
    ("public.idempotency",        ["si",   "",     "",     "",     "",     "",     "sd"]),
    ("public.organisations",      ["s",    "s",    "s",    "s",    "",     "",     "s"]),
    ("public.player_pairings",    ["s",    "s",    "",     "",     "s",    "",     "s"]),
    ("public.players",            ["s",    "s",    "s",    "s",    "siu",  "",     "s"]),
    ("public.preferences",        ["s",    "",     "",     "",     "siu",  "",     "s"]),
    ("public.profiles",           ["su",   "s",    "s",    "s",    "",     "",     "s"]),
    ("public.roles",              ["s",    "",     "",     "",     "",     "",     "s"]),
    ("public.sessions",           ["s",    "s",    "s",    "s",    "siu",  "",     "s"]),
    ("public.song_uploads",       ["s",    "s",    "s",    "s",    "",     "",     "su"]),
    ("public.songs",              ["su",   "su",   "su",   "s",    "s",    "s",    "siu"]),
    ("public.songs_playing",      ["s",    "s",    "s",    "s",    "siu",  "s",    "s"]),
    ("public.sync_quarantine",    ["s",    "s",    "",     "",     "siud", "",     "sud"]),
    ("public.sync_state",         ["s",    "s",    "s",    "s",    "siu",  "",     "s"]),
    ("public.venue_daily",        ["s",    "s",    "s",    "s",    "",     "",     "s"]),
    ("public.venue_members",      ["s",    "s",    "s",    "s",    "",     "",     "s"]),
    ("public.venue_song_daily",   ["s",    "s",    "s",    "s",    "",     "",     "s"]),
    ("public.venue_songs",        ["siu",  "siu",  "siu",  "s",    "s",    "s",    "siu"]),
    ("public.venues",             ["su",   "su",   "s",    "s",    "s",    "s",    "s"]),
    ("public.votes",              ["s",    "s",    "s",    "s",    "siu",  "",     "s"]),
    ("public.zone_fairness",      ["s",    "s",    "s",    "s",    "siu",  "",     "s"]),
    ("public.zones",              ["s",    "s",    "s",    "s",    "s",    "s",    "s"]),
];

/// Tables that belong to no tenant: who may read them, and nobody may write.
/// The two of the feed are of transactions under way, and always empty to others.
const NOBODYS: [&str; 6] = [
    "private._sqlx_migrations",
    "private.feed_pending",
    "private.feed_tx",
    "private.ticket_keys",
    "private.upkeep",
    "public.embedding_models",
];

/// Two tenants with a row in each table.
pub(crate) async fn settle(database: &TestDatabase) -> PgConnection {
    let mut conn = database.superuser().await;
    for tenant in ["1", "2"] {
        run(&mut conn, &include_str!("tenants.sql").replace("{n}", tenant)).await;
    }
    conn
}

/// The tables of the schemas that anybody may use, with how a row says that it is tenant `{n}`'s.
async fn tables(conn: &mut PgConnection) -> BTreeMap<String, String> {
    let rows = sqlx::query(
        "select format('%I.%I', n.nspname, c.relname), array_agg(a.attname::text)
         from pg_class c join pg_namespace n on n.oid = c.relnamespace
         join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
         where n.nspname in ('public', 'private') and c.relkind in ('r', 'p', 'v', 'm') group by 1",
    )
    .fetch_all(conn)
    .await
    .expect("the catalogue");
    let mut tables = BTreeMap::new();
    for row in rows {
        let (table, columns): (String, Vec<String>) = (row.get(0), row.get(1));
        if !NOBODYS.contains(&table.as_str()) {
            let theirs = belongs(&table, &columns);
            tables.insert(table, theirs);
        }
    }
    tables
}

fn belongs(table: &str, columns: &[String]) -> String {
    let has = |name: &str| columns.iter().any(|column| column == name);
    let tail = "00000000-0000-7000-8000-0000000{n}";
    let (column, end) = match table {
        "public.venues" => ("id", "0020"),
        "public.organisations" => ("id", "0010"),
        "public.profiles" => ("id", "0001"),
        "public.preferences" => {
            return format!("(user_id = '{tail}0001' or guest_id = '{tail}0080')");
        }
        _ if has("scope") => return format!("scope = 'venue:{tail}0020'"),
        _ if has("venue_id") => ("venue_id", "0020"),
        _ if has("organisation_id") => ("organisation_id", "0010"),
        _ if has("hub_id") => ("hub_id", "0040"),
        _ => ("user_id", "0001"),
    };
    format!("{column} = '{tail}{end}'")
}

/// Which of the four this asker (of tenant 1) can do with tenant `owner`'s rows.
async fn can(conn: &mut PgConnection, asker: Asker, table: &str, theirs: &str, owner: u8) -> String {
    let theirs = theirs.replace("{n}", &owner.to_string());
    let insertable = columns(conn, asker, table, "insert").await;
    let updatable = columns(conn, asker, table, "update").await;
    let copy: String = sqlx::query_scalar(AssertSqlSafe(format!(
        "select to_jsonb(t)::text from {table} t where {theirs} limit 1"
    )))
    .fetch_one(&mut *conn)
    .await
    .unwrap_or_else(|error| panic!("tenants.sql has no row of {table}: {error}"));
    let mut can = String::new();
    let mut tries = vec![('s', format!("select from {table} where {theirs}"))];
    if !insertable.is_empty() {
        let list = insertable.join(", ");
        let copy = copy.replace('\'', "''");
        let insert = format!(
            "insert into {table} ({list}) select {list} from jsonb_populate_record(null::{table}, '{copy}') "
        );
        tries.push(('i', insert));
    }
    if let Some(column) = updatable.first() {
        tries.push(('u', format!("update {table} set {column} = {column} where {theirs}")));
    }
    tries.push(('d', format!("delete from {table} where {theirs}")));
    for (letter, sql) in tries {
        let mut work = conn.begin().await.expect("a transaction");
        run(&mut work, &asker.become_sql(1)).await;
        let allowed = match sqlx::query(AssertSqlSafe(sql.clone())).execute(&mut *work).await {
            Ok(done) => done.rows_affected() > 0,
            Err(error) => {
                let code = error.as_database_error().and_then(|error| error.code().map(String::from));
                // Policies are asked before constraints: a row that is there already was not refused.
                let code = code.unwrap_or_default();
                assert!(code == "42501" || code.starts_with("23"), "{asker:?}: {sql}: {error}");
                code.starts_with("23")
            }
        };
        work.rollback().await.expect("nothing is kept");
        if allowed {
            can.push(letter);
        }
    }
    can
}

async fn columns(conn: &mut PgConnection, asker: Asker, table: &str, privilege: &str) -> Vec<String> {
    sqlx::query_scalar(
        "select quote_ident(attname) from pg_attribute
         where attrelid = $2::text::regclass and attnum > 0 and not attisdropped and has_column_privilege($1, attrelid, attnum, $3)
         order by attnum",
    )
    .bind(asker.role())
    .bind(table)
    .bind(privilege)
    .fetch_all(conn)
    .await
    .expect("the catalogue")
}

/// A table, and what each asker can do with its rows.
type Row = (String, Vec<String>);

#[rstest]
#[tokio::test]
async fn tenants_are_kept_apart(#[values(Version::V16, Version::V18)] version: Version) {
    let database = Postgres::start(version).database().await;
    let mut conn = settle(&database).await;
    let mut found: Vec<Row> = Vec::new();
    for (table, theirs) in tables(&mut conn).await {
        let mut own = Vec::new();
        for asker in Asker::ALL {
            let mine = can(&mut conn, asker, &table, &theirs, 1).await;
            let others = can(&mut conn, asker, &table, &theirs, 2).await;
            if matches!(asker, Stranger | Anonymous) {
                assert_eq!((mine.as_str(), others.as_str()), ("", ""), "{asker:?} and {table}");
            } else {
                let expected = if asker == Service { mine.as_str() } else { "" };
                assert_eq!(others, expected, "{asker:?} and another tenant's {table}");
                own.push(mine);
            }
        }
        found.push((table, own));
    }
    let expected = OWN.iter().map(|(table, own)| ((*table).to_owned(), own.map(str::to_owned).to_vec()));
    let expected: Vec<_> = expected.collect();
    let unlike = |these: &[Row], others: &[Row]| -> Vec<Row> {
        these.iter().filter(|row| !others.contains(row)).cloned().collect()
    };
    let (listed, can) = (unlike(&expected, &found), unlike(&found, &expected));
    assert!(listed.is_empty() && can.is_empty(), "listed: {listed:#?}\ncan be done: {can:#?}");
}
