//! Hubs and players.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use roomtone_schema::ZoneId;
use roomtone_server::listener::scalar::DateTime;

use crate::graphql::asking::{Key, UserError, cloud, doer, id, key, payload, settle};
use crate::graphql::hub::Hub;
use crate::graphql::player::Player;
use crate::graphql::words::date;
use crate::players::PlayerChange;
use crate::refusal::Unmet;
use crate::{hubs, players};

/// A hub to come.
#[derive(Debug, InputObject)]
pub(crate) struct CreateHubEnrolmentInput {
    /// A UUID, new for each intent. Repeated, it is the same hub with a fresh code, and the code before is void.
    idempotency_key: Key,
    /// Where it will stand.
    venue_id: ID,
    /// What people will call it.
    name: String,
}

/// A code, or why there is none.
#[derive(Debug, Default, SimpleObject)]
pub(crate) struct CreateHubEnrolmentPayload {
    /// The hub, which waits.
    hub: Option<Hub>,
    /// What to type in at the box; shown this once.
    code: Option<String>,
    /// Until when.
    expires_at: Option<DateTime>,
    /// Why not.
    user_errors: Vec<UserError>,
}

impl From<Result<hubs::Enrolment, UserError>> for CreateHubEnrolmentPayload {
    fn from(outcome: Result<hubs::Enrolment, UserError>) -> Self {
        match outcome {
            Ok(enrolment) => Self {
                hub: Some(Hub(enrolment.hub)),
                code: Some(enrolment.code.to_string()),
                expires_at: Some(date(enrolment.expires_at)),
                user_errors: Vec::new(),
            },
            Err(error) => Self { user_errors: vec![error], ..Self::default() },
        }
    }
}

/// A hub that is to have another name.
#[derive(Debug, InputObject)]
pub(crate) struct RenameHubInput {
    /// A UUID, new for each intent.
    idempotency_key: Key,
    /// Which.
    id: ID,
    /// The name.
    name: String,
}

payload!(/// Renamed, or why not.
    RenameHubPayload { /// The hub.
        hub: Hub });

/// A hub that is to go.
#[derive(Debug, InputObject)]
pub(crate) struct RevokeHubInput {
    /// A UUID, new for each intent.
    idempotency_key: Key,
    /// Which.
    id: ID,
}

payload!(/// Told to go, or why not.
    RevokeHubPayload { /// The hub.
        hub: Hub });

/// What of a player is to be otherwise; what is left out stays.
#[derive(Debug, InputObject)]
pub(crate) struct UpdatePlayerInput {
    /// A UUID, new for each intent.
    idempotency_key: Key,
    /// Which.
    id: ID,
    /// Another name.
    name: Option<String>,
    /// Another zone of its venue.
    zone_id: Option<ID>,
    /// How loud it is to be, from 0 to 100. It is followed once: what is turned at the hub afterwards holds.
    volume_percent: Option<i32>,
}

payload!(/// Changed, or why not.
    UpdatePlayerPayload { /// The player.
        player: Player });

/// A player that is to go.
#[derive(Debug, InputObject)]
pub(crate) struct RevokePlayerInput {
    /// A UUID, new for each intent.
    idempotency_key: Key,
    /// Which.
    id: ID,
}

payload!(/// Told to go, or why not.
    RevokePlayerPayload { /// The player.
        player: Player });

/// What changes hubs and players.
#[derive(Debug, Default)]
pub(crate) struct HubMutation;

/// Changing.
#[Object]
impl HubMutation {
    /// A code, good for 30 minutes, by which a box is let in as a hub; for managers.
    async fn create_hub_enrolment(
        &self,
        ctx: &Context<'_>,
        input: CreateHubEnrolmentInput,
    ) -> Result<CreateHubEnrolmentPayload> {
        settle(enrol(ctx, &input).await)
    }

    /// Gives a hub another name; for managers.
    async fn rename_hub(&self, ctx: &Context<'_>, input: RenameHubInput) -> Result<RenameHubPayload> {
        settle(rename(ctx, &input).await)
    }

    /// Tells a hub to go, for ever; for managers. Its history stays.
    async fn revoke_hub(&self, ctx: &Context<'_>, input: RevokeHubInput) -> Result<RevokeHubPayload> {
        settle(revoke(ctx, &input).await)
    }

    /// Gives a player another name, zone or volume; for managers.
    async fn update_player(
        &self,
        ctx: &Context<'_>,
        input: UpdatePlayerInput,
    ) -> Result<UpdatePlayerPayload> {
        settle(update_player(ctx, &input).await)
    }

    /// Tells a player to go; for managers.
    async fn revoke_player(
        &self,
        ctx: &Context<'_>,
        input: RevokePlayerInput,
    ) -> Result<RevokePlayerPayload> {
        settle(revoke_player(ctx, &input).await)
    }
}

async fn enrol(ctx: &Context<'_>, input: &CreateHubEnrolmentInput) -> Result<hubs::Enrolment, Unmet> {
    let (user, key) = (doer(ctx)?, key(input.idempotency_key));
    hubs::create_enrolment(cloud(ctx), user, key, id(&input.venue_id, "venueId")?, &input.name).await
}

async fn rename(ctx: &Context<'_>, input: &RenameHubInput) -> Result<Hub, Unmet> {
    let (user, key) = (doer(ctx)?, key(input.idempotency_key));
    Ok(Hub(hubs::rename(cloud(ctx), user, key, id(&input.id, "id")?, &input.name).await?))
}

async fn revoke(ctx: &Context<'_>, input: &RevokeHubInput) -> Result<Hub, Unmet> {
    let (user, key) = (doer(ctx)?, key(input.idempotency_key));
    Ok(Hub(hubs::revoke(cloud(ctx), user, key, id(&input.id, "id")?).await?))
}

async fn update_player(ctx: &Context<'_>, input: &UpdatePlayerInput) -> Result<Player, Unmet> {
    let (user, key) = (doer(ctx)?, key(input.idempotency_key));
    let player = id(&input.id, "id")?;
    let zone = input.zone_id.as_ref().map(|given| id::<ZoneId>(given, "zoneId")).transpose()?;
    let change = PlayerChange { name: input.name.as_deref(), zone, volume: input.volume_percent };
    Ok(Player(players::update(cloud(ctx), user, key, player, change).await?))
}

async fn revoke_player(ctx: &Context<'_>, input: &RevokePlayerInput) -> Result<Player, Unmet> {
    let (user, key) = (doer(ctx)?, key(input.idempotency_key));
    Ok(Player(players::revoke(cloud(ctx), user, key, id(&input.id, "id")?).await?))
}
