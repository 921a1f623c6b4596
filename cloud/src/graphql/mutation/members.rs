//! Members.

use async_graphql::{Context, ID, InputObject, Object, Result};
use roomtone_schema::VenueId;
use uuid::Uuid;

use crate::graphql::asking::{cloud, doer, id, key, payload, settle};
use crate::graphql::member::Member;
use crate::graphql::words::MemberRole;
use crate::members;
use crate::refusal::Unmet;

/// Somebody to add to a venue.
#[derive(Debug, InputObject)]
pub(crate) struct AddMemberInput {
    /// A UUID, new for each intent.
    idempotency_key: Uuid,
    /// Where.
    venue_id: ID,
    /// The address that they signed up with.
    email: String,
    /// As what.
    role: MemberRole,
}

payload!(/// Added, or why not.
    AddMemberPayload { /// The member.
        member: Member });

/// A member who is to have another role.
#[derive(Debug, InputObject)]
pub(crate) struct ChangeMemberRoleInput {
    /// A UUID, new for each intent.
    idempotency_key: Uuid,
    /// Where.
    venue_id: ID,
    /// Who.
    user_id: ID,
    /// As what from now on.
    role: MemberRole,
}

payload!(/// Changed, or why not.
    ChangeMemberRolePayload { /// The member.
        member: Member });

/// A member who is to go.
#[derive(Debug, InputObject)]
pub(crate) struct RemoveMemberInput {
    /// A UUID, new for each intent.
    idempotency_key: Uuid,
    /// From where.
    venue_id: ID,
    /// Who; oneself, too.
    user_id: ID,
}

payload!(/// Gone, or why not.
    RemoveMemberPayload { /// Who is no member any more.
        removed_user_id: ID });

/// What changes who is a member.
#[derive(Debug, Default)]
pub(crate) struct MemberMutation;

/// Changing.
#[Object]
impl MemberMutation {
    /// Adds somebody with an account to a venue; for managers, an owner by owners only.
    async fn add_member(&self, ctx: &Context<'_>, input: AddMemberInput) -> Result<AddMemberPayload> {
        settle(add(ctx, &input).await)
    }

    /// Gives a member another role; for managers, from and to owner by owners only. The last owner stays.
    async fn change_member_role(
        &self,
        ctx: &Context<'_>,
        input: ChangeMemberRoleInput,
    ) -> Result<ChangeMemberRolePayload> {
        settle(change(ctx, &input).await)
    }

    /// Takes somebody out of a venue; for managers, an owner by owners only. Anybody may leave; the last owner stays.
    async fn remove_member(
        &self,
        ctx: &Context<'_>,
        input: RemoveMemberInput,
    ) -> Result<RemoveMemberPayload> {
        settle(remove(ctx, &input).await)
    }
}

async fn add(ctx: &Context<'_>, input: &AddMemberInput) -> Result<Member, Unmet> {
    let (user, key) = (doer(ctx)?, key(input.idempotency_key));
    let venue: VenueId = id(&input.venue_id, "venueId")?;
    Ok(Member(members::add(cloud(ctx), user, key, venue, &input.email, input.role.into()).await?))
}

async fn change(ctx: &Context<'_>, input: &ChangeMemberRoleInput) -> Result<Member, Unmet> {
    let (user, key) = (doer(ctx)?, key(input.idempotency_key));
    let (venue, who) = (id(&input.venue_id, "venueId")?, id(&input.user_id, "userId")?);
    Ok(Member(members::change_role(cloud(ctx), user, key, venue, who, input.role.into()).await?))
}

async fn remove(ctx: &Context<'_>, input: &RemoveMemberInput) -> Result<ID, Unmet> {
    let (user, key) = (doer(ctx)?, key(input.idempotency_key));
    let (venue, who) = (id(&input.venue_id, "venueId")?, id(&input.user_id, "userId")?);
    members::remove(cloud(ctx), user, key, venue, who).await?;
    Ok(input.user_id.clone())
}
