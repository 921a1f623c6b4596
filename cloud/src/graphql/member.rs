//! People, and what they may do where.

use async_graphql::{Context, ID, Object, Result};
use roomtone_schema::id::Id as _;
use roomtone_server::listener::scalar::DateTime;

use super::asking::{asker, cloud, known};
use super::loaders::load;
use super::venue::{Organisation, Venue, venue as venue_of};
use super::words::{MemberRole, Role, date};
use crate::{members, venues};

/// Somebody with an account.
#[derive(Debug, Clone)]
pub(super) struct User(pub(super) members::Person);

/// Somebody with an account.
#[Object]
impl User {
    /// Opaque, globally unique.
    pub(super) async fn id(&self) -> ID {
        self.0.id.to_global().into()
    }

    /// Their address.
    async fn email(&self) -> Option<&str> {
        self.0.email.as_deref()
    }

    /// What they call themselves.
    async fn display_name(&self) -> Option<&str> {
        self.0.display_name.as_deref()
    }

    /// What they may do beyond single venues; the viewer's own, empty for others.
    async fn roles(&self, ctx: &Context<'_>) -> Result<Vec<Role>> {
        if !self.is_viewer(ctx) {
            return Ok(Vec::new());
        }
        let viewer = members::viewer(cloud(ctx), asker(ctx)?).await?;
        Ok(viewer.map(|viewer| viewer.roles).unwrap_or_default().into_iter().map(Into::into).collect())
    }

    /// What they are members of; the viewer's own, empty for others. At most 200.
    #[graphql(complexity = "10 * child_complexity")]
    async fn memberships(&self, ctx: &Context<'_>) -> Result<Vec<Member>> {
        if !self.is_viewer(ctx) {
            return Ok(Vec::new());
        }
        let memberships = members::memberships(cloud(ctx), asker(ctx)?).await?;
        Ok(memberships.into_iter().map(Member).collect())
    }

    /// The organisations of their venues; the viewer's own, empty for others. At most 200.
    #[graphql(complexity = "10 * child_complexity")]
    async fn organisations(&self, ctx: &Context<'_>) -> Result<Vec<Organisation>> {
        if !self.is_viewer(ctx) {
            return Ok(Vec::new());
        }
        let organisations = venues::organisations(cloud(ctx), asker(ctx)?).await?;
        Ok(organisations.into_iter().map(Organisation).collect())
    }
}

impl User {
    fn is_viewer(&self, ctx: &Context<'_>) -> bool {
        known(ctx) == Some(*self.0.id)
    }
}

/// Somebody's part in a venue.
#[derive(Debug, Clone)]
pub(super) struct Member(pub(super) members::Member);

/// Somebody's part in a venue.
#[Object]
impl Member {
    /// Where.
    async fn venue(&self, ctx: &Context<'_>) -> Result<Venue> {
        venue_of(ctx, *self.0.venue_id).await
    }

    /// Who.
    async fn user(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        Ok(load(ctx, *self.0.user_id).await?.map(User))
    }

    /// As what.
    async fn role(&self) -> MemberRole {
        self.0.role.0.into()
    }

    /// Since when.
    async fn since(&self) -> DateTime {
        date(self.0.created_at)
    }
}
