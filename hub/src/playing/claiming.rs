//! A player's way to its zone's next song, also when it has begun that song already.

use std::sync::Arc;

use roomtone_schema::id::Id as _;
use roomtone_schema::look_ahead::Planned;
use roomtone_schema::{IdempotencyKey, PickId, PlayId, PlayerId, SongId};

use super::{CLAIM, Claim, ClaimError};
use crate::hub::Inner;
use crate::locks::locked;
use crate::reporting::unexplained;
use crate::room::{Current, Upcoming, ZoneRoom};
use crate::store::{Tx, idempotency, plays};
use crate::view::{OpenHoursView, PickView};

/// What a player claims with.
#[derive(Debug, Clone, Copy)]
pub struct ClaimRequest {
    /// New for each intent.
    pub key: IdempotencyKey,
    /// What the player calls this play. Whoever names its plays also tells the end of each.
    pub play: Option<PlayId>,
    /// The song of its plan that it has begun already: it could not wait.
    pub begun: Option<PickId>,
    /// Which song that is, for a hub that was started anew since it made that plan.
    pub begun_song: Option<SongId>,
}

/// What a player's zone plays, and what comes next.
#[derive(Debug, Clone)]
pub struct Ahead {
    /// What plays, where anything does.
    pub current: Option<Arc<PickView>>,
    /// And then these.
    pub plan: Vec<Arc<PickView>>,
    /// Until when, and from when on again.
    pub hours: OpenHoursView,
    /// Whether the venue's licence lets players keep songs that they need no more.
    pub offline_storage: bool,
}

impl From<IdempotencyKey> for ClaimRequest {
    fn from(key: IdempotencyKey) -> Self {
        Self { key, play: None, begun: None, begun_song: None }
    }
}

impl Inner {
    /// Takes the next song for a player's zone.
    pub(crate) async fn claim(
        self: &Arc<Self>,
        player: PlayerId,
        request: ClaimRequest,
    ) -> Result<Claim, ClaimError> {
        let room = self.room_of_player(player).ok_or(ClaimError::UnknownPlayer)?;
        let _turn = room.advancing.lock().await;
        let before = self.claimed_before(&room, player, request.key).await?;
        let pick = if let Some(pick) = before.or_else(|| self.playing_under(&room, player, request.play)) {
            pick
        } else {
            let pick = self.next_for(&room, player, &request).await?;
            if request.begun.is_none_or(|begun| begun == pick.id) {
                self.give(&room, player, &pick, Some(request)).await;
            } else {
                self.answer_only(&room, player, (&pick, request.key)).await;
            }
            pick
        };
        let plan = self.hand_out_plan(&room, player);
        let offline_storage = self.licence().offline_storage;
        Ok(Claim { pick, plan, hours: self.open_hours(&room), offline_storage })
    }

    /// What a player's zone plays, and the plan, without taking anything; `None` for whoever is no player.
    pub(crate) fn plan_of(&self, player: PlayerId) -> Option<Ahead> {
        let room = self.room_of_player(player)?;
        let now = self.clock.now();
        let current = room.current().filter(|current| !current.is_over(now)).map(|current| current.pick);
        let plan = self.hand_out_plan(&room, player);
        let offline_storage = self.licence().offline_storage;
        Some(Ahead { current, plan, hours: self.open_hours(&room), offline_storage })
    }

    /// Gives a player the plan, and remembers what was in it.
    fn hand_out_plan(&self, room: &ZoneRoom, player: PlayerId) -> Vec<Arc<PickView>> {
        let plan: Vec<Upcoming> = locked(&room.stage).plan.iter().cloned().collect();
        // It may have been made when more was allowed.
        let plan = self.within_licence(plan, |upcoming| upcoming.planned.starts_at);
        let views = plan.iter().map(|upcoming| Arc::clone(&upcoming.view)).collect();
        if let Some(known) = locked(&self.players).get_mut(player) {
            known.remember_plan(plan);
        }
        views
    }

    /// The song that comes next for a player: the zone's, where somebody else has moved on; else the one that it has
    /// begun, and the zone follows; else a new one.
    async fn next_for(
        self: &Arc<Self>,
        room: &Arc<ZoneRoom>,
        player: PlayerId,
        request: &ClaimRequest,
    ) -> Result<Arc<PickView>, ClaimError> {
        let now = self.clock.now();
        let current = room.current().filter(|current| !current.is_over(now));
        let answers =
            |current: &Current| !current.given_to.contains(&player) || Some(current.pick.id) == request.begun;
        if let Some(current) = current.filter(answers) {
            return Ok(current.pick);
        }
        let begun = match self.begun(room, player, request.begun) {
            None => self.begun_elsewhere(room, request).await.map(|pick| (pick, None)),
            known => known,
        };
        if let Some((pick, planned)) = begun {
            locked(&room.stage).pass_over_to(pick.id);
            self.move_on(room, player, &pick, planned.as_deref()).await;
            return Ok(pick);
        }
        self.advance(room, player).await
    }

    /// What a player has begun: a decision that is known here and, where it is not written down yet, how it was made.
    fn begun(
        &self,
        room: &ZoneRoom,
        player: PlayerId,
        begun: Option<PickId>,
    ) -> Option<(Arc<PickView>, Option<Arc<Planned>>)> {
        let begun = begun?;
        let (recent, planned) = {
            let stage = locked(&room.stage);
            let recent = stage.recent.iter().find(|view| view.id == begun).cloned();
            (recent, stage.plan.iter().find(|upcoming| upcoming.view.id == begun).cloned())
        };
        if let Some(view) = recent {
            return Some((view, None));
        }
        let given = || locked(&self.players).get(player).and_then(|known| known.planned(begun).cloned());
        let Upcoming { planned, view } = planned.or_else(given)?;
        Some((view, Some(planned)))
    }

    /// The same where the plan was made by a hub that has been started anew since: the player says which song it is,
    /// or has said so of this play before.
    async fn begun_elsewhere(&self, room: &ZoneRoom, request: &ClaimRequest) -> Option<Arc<PickView>> {
        let (begun, play) = (request.begun?, request.play);
        let song = match (request.begun_song, play) {
            (Some(song), _) => song,
            (None, Some(play)) => {
                let told = self.store.read(move |conn| plays::by_id(conn, play)).await;
                told.ok().flatten().filter(|told| told.pick == Some(begun))?.song
            }
            (None, None) => return None,
        };
        let song = self.library.get(song)?.song;
        Some(Arc::new(unexplained(room, Some(begun), song, self.clock.now())))
    }

    /// Answers with another song than the player has begun: its play is of the song that it began, and it tells of that
    /// itself, as of the play with which it turns to this one.
    async fn answer_only(
        &self,
        room: &ZoneRoom,
        player: PlayerId,
        (pick, key): (&Arc<PickView>, IdempotencyKey),
    ) {
        let (id, now) = (pick.id, self.clock.now());
        let record = move |tx: &Tx<'_>| idempotency::put(tx, player.to_bytes(), key, CLAIM, &id, now);
        self.record(record).await;
        if let Some(current) = locked(&room.stage).current.as_mut().filter(|current| current.pick.id == id) {
            current.given_to.insert(player);
        }
        self.see(player, now);
    }

    /// The pick of a play that a player has claimed under this name already.
    fn playing_under(
        &self,
        room: &ZoneRoom,
        player: PlayerId,
        play: Option<PlayId>,
    ) -> Option<Arc<PickView>> {
        let open = locked(&self.players).get(player)?.play.clone().filter(|open| Some(open.id) == play)?;
        locked(&room.stage).pick(open.pick?)
    }

    /// What this claim was answered with the first time.
    async fn claimed_before(
        &self,
        room: &ZoneRoom,
        player: PlayerId,
        key: IdempotencyKey,
    ) -> Result<Option<Arc<PickView>>, ClaimError> {
        let owner = player.to_bytes();
        let first = self.store.read(move |conn| idempotency::get::<PickId>(conn, owner, key, CLAIM)).await;
        // A disk that cannot be read stops no music: the claim counts as a first one.
        match first.unwrap_or(None) {
            None => Ok(None),
            Some(Err(_)) => Err(ClaimError::KeyUsed),
            Some(Ok(pick)) => match locked(&room.stage).pick(pick) {
                Some(pick) => Ok(Some(pick)),
                // So long ago that nobody can want that song now.
                None => Err(ClaimError::KeyUsed),
            },
        }
    }
}
