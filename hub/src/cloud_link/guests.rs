//! Those who came by the cloud's page, in the room: present like everybody else, each with one listener's weight.

use std::collections::BTreeSet;
use std::sync::Arc;

use roomtone_schema::session::Session;
use roomtone_schema::{HubId, ListenerId};
use roomtone_sync::wire::{NowTold, RoomTold, VibeTold};

use crate::check_in::known;
use crate::hub::{Hub, Inner};
use crate::locks::{locked, reading};
use crate::programme::{TOLD_NEXT, next_songs};
use crate::room::ZoneRoom;
use crate::secrets::Hash;
use crate::store::StoreError;
use crate::store::down_rows::Here;
use crate::store::guests::{self, Came};

impl Inner {
    /// Where rows that come down find themselves: whose they are, and what time it is.
    pub(crate) fn here(&self, me: HubId) -> Here {
        let now = self.clock.now();
        let cloud_now = self.cloud_time();
        Here { me, now, shift_ms: now.0.saturating_sub(cloud_now.0) }
    }

    /// Brings in what is durable by now.
    pub(crate) async fn bring_in_guests(self: &Arc<Self>, came: Vec<Came>) -> Result<(), StoreError> {
        let mut voters = BTreeSet::new();
        for came in came {
            match came {
                Came::In(session, token) => self.let_in_by_cloud(session, token).await?,
                Came::Sign(session, at) => locked(&self.people).seen(session, at),
                Came::Out(session) => {
                    locked(&self.people).leave(session.id);
                    self.somebody_left(session.zone).await?;
                }
                Came::Voted(listener) => {
                    voters.insert(listener);
                }
                Came::Wants(wish) => {
                    if let Err(error) = self.wish_by_cloud(wish).await {
                        tracing::warn!(
                            "a vote to skip by the cloud came to nothing, and the song goes on: {error}"
                        );
                    }
                }
            }
        }
        for voter in voters {
            self.hear_by_cloud(voter).await?;
        }
        Ok(())
    }

    /// Votes whose songs had not come when they did.
    pub(crate) async fn bring_in_waiting_votes(self: &Arc<Self>) -> Result<(), StoreError> {
        let me = reading(&self.enrolment).as_ref().map(|enrolment| enrolment.hub);
        let Some(me) = me else { return Ok(()) };
        self.bring_in_waiting_votes_of(me).await
    }

    pub(crate) async fn bring_in_waiting_votes_of(self: &Arc<Self>, me: HubId) -> Result<(), StoreError> {
        let here = self.here(me);
        let came = self.store.write(move |tx| guests::take_waiting(tx, here)).await?;
        self.bring_in_guests(came).await
    }

    async fn let_in_by_cloud(self: &Arc<Self>, session: Session, token: Hash) -> Result<(), StoreError> {
        let (listener, now) = (session.listener, self.clock.now());
        let known = self.store.read(move |conn| known(conn, listener, now)).await?;
        let Some(room) = self.room(session.zone).map(Arc::clone) else { return Ok(()) };
        {
            let mut people = locked(&self.people);
            if people.session(session.id).is_none() {
                people.enter(session, token, known.into());
            }
        }
        self.counters.check_ins_by_cloud.up();
        self.reach.came_by_cloud(now);
        self.show_vibe(&room);
        self.show_now_playing(&room);
        self.stir(&room);
        Ok(())
    }

    /// What somebody wants by now. It is read anew: whatever came in which order, the database has it all.
    async fn hear_by_cloud(&self, listener: ListenerId) -> Result<(), StoreError> {
        let now = self.clock.now();
        let known = self.store.read(move |conn| known(conn, listener, now)).await?;
        self.counters.votes.up();
        let zones = locked(&self.people).wants(listener, known.state, known.effective);
        for room in zones.into_iter().filter_map(|zone| self.room(zone)) {
            self.show_vibe(room);
            self.stir(room);
        }
        Ok(())
    }
}

impl Hub {
    /// A phone of this network asked for the page.
    pub(crate) fn phone_was_here(&self) {
        self.0.reach.came_here(self.now());
    }

    /// Whether guests come by the cloud only.
    pub(crate) fn guests_are_cut_off(&self) -> bool {
        self.0.guests_are_cut_off()
    }
}

impl Inner {
    /// Whether guests come by the cloud only.
    pub(crate) fn guests_are_cut_off(&self) -> bool {
        self.reach.is_cut_off(self.clock.now())
    }

    /// What a zone shows, for guests whose phones do not reach this hub, and for the venue's staff at the cloud.
    pub(crate) fn room_told(&self, room: &ZoneRoom) -> RoomTold {
        let now = self.clock.now();
        let vibe = Arc::clone(&room.vibe.borrow());
        // Where nobody may skip, nobody is asked to.
        let may_skip = u32::from(self.may_skip(room).is_ok());
        let playing = room.now_playing.borrow().as_ref().map(|view| NowTold {
            song: view.pick.song.id,
            started_at: view.started_at,
            position_ms: u32::try_from(
                u128::from(view.position_ms).saturating_add(now.since(view.as_of).as_millis()),
            )
            .unwrap_or(u32::MAX),
            skip_votes: may_skip * view.skip_votes,
            skip_votes_needed: may_skip * view.skip_votes_needed,
        });
        let next = room.up_next.borrow().iter().take(TOLD_NEXT).map(|entry| entry.song.id).collect();
        let ahead = next_songs(&locked(&room.stage).plan);
        let source = serde_json::to_value(vibe.source).ok();
        RoomTold {
            zone: room.zone.id,
            now: playing,
            next,
            ahead,
            vibe: VibeTold {
                axes: vibe.axes,
                consensus: vibe.consensus,
                listeners: vibe.active_listeners,
                source: source.and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default(),
            },
            needs_screen_code: room.settings().require_rotating_code,
            hours: Some(self.open_hours(room)),
        }
    }
}
