//! One question to the database for what a whole list asks row by row.
//!
//! Loaders live as long as a request and keep nothing: a subscription that looks again sees what is there now.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;

use async_graphql::async_trait::async_trait;
use async_graphql::dataloader::{DataLoader, Loader};
use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextPrepareRequest};
use async_graphql::{Context, Error, Request, ServerResult};
use roomtone_schema::{HubId, OrganisationId, PlayerId, SongId, UserId, VenueId, ZoneId};

use super::asking::asker;
use crate::cloud::Cloud;
use crate::hubs::{self, Hub};
use crate::members::{self, Member, Person};
use crate::players::{self, Player};
use crate::refusal::Unmet;
use crate::rooms::{self, Room};
use crate::venues::zones::{self, Fares, Zone};
use crate::venues::{self, Organisation, Venue};
use crate::{analytics, catalogue, catalogue::Song};

/// Gives every request its own loader.
#[derive(Debug, Clone)]
pub(super) struct PerRequest(pub(super) Cloud);

impl ExtensionFactory for PerRequest {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(self.clone())
    }
}

#[async_trait]
impl Extension for PerRequest {
    async fn prepare_request(
        &self,
        ctx: &ExtensionContext<'_>,
        request: Request,
        next: NextPrepareRequest<'_>,
    ) -> ServerResult<Request> {
        // Whoever asks waits for what the loader starts, so none of it is left behind.
        let loader = DataLoader::new(Lists(self.0.clone()), |batch| {
            tokio::runtime::Handle::current().spawn(batch);
        });
        next.run(ctx, request.data(loader)).await
    }
}

/// What asks the database.
#[derive(Debug)]
pub(super) struct Lists(Cloud);

/// Something that somebody asks for: whose right it is to see it is part of the question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Asked<K>(UserId, K);

macro_rules! key {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(super) struct $name(pub(super) VenueId);
    };
}
key!(/// The zones of a venue.
    ZonesOf);
key!(/// How people fare in the zones of a venue.
    FaresOf);
key!(/// What the zones of a venue show.
    RoomsOf);
key!(/// The members of a venue.
    MembersOf);
key!(/// The hubs of a venue.
    HubsOf);
key!(/// The players of a venue.
    PlayersOf);
key!(/// How many songs a venue plays.
    SongsOf);
key!(/// How many people are checked in at a venue.
    PeopleOf);

/// Whether whoever asks works for an organisation; there is no answer where not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct StaffOf(pub(super) OrganisationId);

/// The venues that play a song.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct VenuesOf(pub(super) SongId);

/// Loads something for whoever asks.
pub(super) async fn load<K>(
    ctx: &Context<'_>,
    key: K,
) -> async_graphql::Result<Option<<Lists as Loader<Asked<K>>>::Value>>
where
    K: Copy + Eq + Hash + Send + Sync + 'static,
    Lists: Loader<Asked<K>, Error = Arc<Unmet>>,
{
    let loader = ctx.data_unchecked::<DataLoader<Lists>>();
    loader.load_one(Asked(asker(ctx)?, key)).await.map_err(|unmet| ours(&unmet))
}

/// Several at once. What is not there is left out.
pub(super) async fn load_all<K>(
    ctx: &Context<'_>,
    keys: impl IntoIterator<Item = K>,
) -> async_graphql::Result<HashMap<K, <Lists as Loader<Asked<K>>>::Value>>
where
    K: Copy + Eq + Hash + Send + Sync + 'static,
    Lists: Loader<Asked<K>, Error = Arc<Unmet>>,
{
    let loader = ctx.data_unchecked::<DataLoader<Lists>>();
    let user = asker(ctx)?;
    let found = loader.load_many(keys.into_iter().map(|key| Asked(user, key))).await;
    Ok(found.map_err(|unmet| ours(&unmet))?.into_iter().map(|(Asked(_, key), value)| (key, value)).collect())
}

/// Reading refuses nothing: what goes wrong is ours.
fn ours(unmet: &Arc<Unmet>) -> Error {
    Error::from(Unmet::Broken(anyhow::anyhow!("{unmet:?}")))
}

/// The keys of a batch by who asks: in one request there is one, but nothing here relies on it.
fn by_asker<K: Copy + Eq + Hash>(keys: &[Asked<K>]) -> HashMap<UserId, Vec<K>> {
    let mut of: HashMap<UserId, HashSet<K>> = HashMap::new();
    for Asked(user, key) in keys {
        of.entry(*user).or_default().insert(*key);
    }
    of.into_iter().map(|(user, keys)| (user, keys.into_iter().collect())).collect()
}

/// A loader of single things by their id.
macro_rules! one {
    ($id:ty, $value:ty, $find:path) => {
        impl Loader<Asked<$id>> for Lists {
            type Value = $value;
            type Error = Arc<Unmet>;

            async fn load(&self, keys: &[Asked<$id>]) -> Result<HashMap<Asked<$id>, $value>, Arc<Unmet>> {
                let mut found = HashMap::new();
                for (user, ids) in by_asker(keys) {
                    let rows = $find(&self.0, user, &ids).await.map_err(Arc::new)?;
                    found.extend(rows.into_iter().map(|row| (Asked(user, row.id.0), row)));
                }
                Ok(found)
            }
        }
    };
}
one!(VenueId, Venue, venues::find);
one!(OrganisationId, Organisation, venues::find_organisations);
one!(ZoneId, Zone, zones::find);
one!(HubId, Hub, hubs::find);
one!(PlayerId, Player, players::find);
one!(SongId, Song, catalogue::find);
one!(UserId, Person, members::people);

/// A loader of what a venue has several of.
macro_rules! many {
    ($key:ident, $value:ty, $find:path) => {
        impl Loader<Asked<$key>> for Lists {
            type Value = Vec<$value>;
            type Error = Arc<Unmet>;

            async fn load(
                &self,
                keys: &[Asked<$key>],
            ) -> Result<HashMap<Asked<$key>, Vec<$value>>, Arc<Unmet>> {
                let mut found: HashMap<_, Vec<$value>> = HashMap::new();
                for (user, of) in by_asker(keys) {
                    let ids: Vec<VenueId> = of.iter().map(|key| key.0).collect();
                    for row in $find(&self.0, user, &ids).await.map_err(Arc::new)? {
                        found.entry(Asked(user, $key(row.venue_id.0))).or_default().push(row);
                    }
                }
                Ok(found)
            }
        }
    };
}
many!(ZonesOf, Zone, zones::of_venues);
many!(FaresOf, Fares, zones::fares_of_venues);
many!(RoomsOf, Room, rooms::of_venues);
many!(MembersOf, Member, members::of_venues);
many!(HubsOf, Hub, hubs::of_venues);
many!(PlayersOf, Player, players::of_venues);

/// A loader of what a venue has so many of.
macro_rules! count {
    ($key:ident, $count:path) => {
        impl Loader<Asked<$key>> for Lists {
            type Value = i64;
            type Error = Arc<Unmet>;

            async fn load(&self, keys: &[Asked<$key>]) -> Result<HashMap<Asked<$key>, i64>, Arc<Unmet>> {
                let mut found = HashMap::new();
                for (user, of) in by_asker(keys) {
                    let ids: Vec<VenueId> = of.iter().map(|key| key.0).collect();
                    let counts = $count(&self.0, user, &ids).await.map_err(Arc::new)?;
                    found.extend(counts.into_iter().map(|(venue, n)| (Asked(user, $key(venue)), n)));
                }
                Ok(found)
            }
        }
    };
}
count!(SongsOf, catalogue::count_of_venues);
count!(PeopleOf, analytics::people_now);

impl Loader<Asked<VenuesOf>> for Lists {
    type Value = Vec<VenueId>;
    type Error = Arc<Unmet>;

    async fn load(
        &self,
        keys: &[Asked<VenuesOf>],
    ) -> Result<HashMap<Asked<VenuesOf>, Vec<VenueId>>, Arc<Unmet>> {
        let mut found = HashMap::new();
        for (user, of) in by_asker(keys) {
            let ids: Vec<SongId> = of.iter().map(|key| key.0).collect();
            let venues = catalogue::venues_of(&self.0, user, &ids).await.map_err(Arc::new)?;
            found.extend(venues.into_iter().map(|(song, venues)| (Asked(user, VenuesOf(song)), venues)));
        }
        Ok(found)
    }
}

impl Loader<Asked<StaffOf>> for Lists {
    type Value = ();
    type Error = Arc<Unmet>;

    async fn load(&self, keys: &[Asked<StaffOf>]) -> Result<HashMap<Asked<StaffOf>, ()>, Arc<Unmet>> {
        let mut found = HashMap::new();
        for (user, of) in by_asker(keys) {
            let ids: Vec<OrganisationId> = of.iter().map(|key| key.0).collect();
            let theirs = catalogue::working_in(&self.0, user, &ids).await.map_err(Arc::new)?;
            found.extend(theirs.into_iter().map(|id| (Asked(user, StaffOf(id)), ())));
        }
        Ok(found)
    }
}
