//! What the broker keeps of logins: grants and devices, or as a relay nothing but for minutes.

use std::sync::Arc;
use std::time::SystemTime;

use restream_oauth_core::Client;
use restream_oauth_keeper::{BuildError, Keeper, Mode};

use super::clock::Clock;
use super::endings::Endings;
use super::observe::Observer;
use super::relay::Relay;
use super::sightings::Sightings;
use super::start_error::StartError;
use super::storage::{self, Grants, Storage};
use super::witness::Witnesses;
use crate::devices::{DevicesError, Hash, Login};
use crate::protocol::Browser;
use crate::settings::Store;

/// What the broker keeps of logins, by its mode.
#[derive(Debug)]
pub(super) enum Kept {
    /// Grants, for devices that have handles.
    Handles(Arc<Handles>),
    /// Nothing, but for minutes.
    Relay(Arc<Relay>),
}

/// The grants, and the devices that have handles for them.
#[derive(Debug)]
pub(super) struct Handles {
    pub(super) keeper: Keeper,
    pub(super) storage: Storage,
    /// The store of the keeper once more, to forget a grant without revoking it.
    pub(super) grants: Grants,
    pub(super) witnesses: Witnesses,
    pub(super) endings: Endings,
    pub(super) sightings: Sightings,
}

impl Kept {
    /// Remembers a login.
    pub(super) async fn begin_login(
        &self,
        login: Login,
        browser: &Browser,
        now: SystemTime,
    ) -> Result<(), DevicesError> {
        match self {
            Self::Handles(handles) => handles.storage.begin(login, browser, now).await,
            Self::Relay(relay) => {
                relay.logins.begin(login, now);
                Ok(())
            }
        }
    }

    /// Takes the login with this `state`, if it began in this browser. It is there once.
    pub(super) async fn take_login(
        &self,
        state: Hash,
        browser: &Browser,
        now: SystemTime,
    ) -> Result<Option<Login>, DevicesError> {
        match self {
            Self::Handles(handles) => handles.storage.take_login(state, browser, now).await,
            Self::Relay(relay) => Ok(relay.logins.take(state, browser, now)),
        }
    }

    /// The logins of a browser that Restream has sent back without saying which of them the user declined. If there is one
    /// only, it is taken.
    pub(super) async fn declined(&self, browser: &Browser, now: SystemTime) -> Result<Vec<Login>, DevicesError> {
        let begun = match self {
            Self::Handles(handles) => handles.storage.logins_of(browser, now).await?,
            Self::Relay(relay) => relay.logins.of_browser(browser, now),
        };
        match &begun[..] {
            [only] => Ok(self.take_login(only.state, browser, now).await?.into_iter().collect()),
            _ => Ok(begun),
        }
    }
}

impl Handles {
    pub(super) async fn open(
        store: Store,
        client: &Client,
        clock: &Clock,
        observer: &Arc<Observer>,
    ) -> Result<Arc<Self>, StartError> {
        let (devices, grants) = storage::open(store, clock, observer).await?;
        let keeper = match grants.clone() {
            Grants::File(store) => keeper_of(client.clone(), store, clock),
            Grants::Postgres(store) => keeper_of(client.clone(), store, clock),
        };
        Ok(Arc::new(Self {
            keeper: keeper.map_err(StartError::Keeper)?,
            storage: Storage::new(devices, Arc::clone(observer)),
            grants,
            witnesses: Witnesses::default(),
            endings: Endings::default(),
            sightings: Sightings::default(),
        }))
    }
}

/// The keeper refreshes what a device asks for, and nothing ahead of that.
fn keeper_of(
    client: Client,
    store: impl restream_oauth_keeper::store::Store,
    clock: &Clock,
) -> Result<Keeper, BuildError> {
    let mut builder = Keeper::builder(client, store).mode(Mode::OnUse);
    if let Some(read) = clock.for_keeper() {
        builder = builder.clock(move || read());
    }
    builder.build()
}
