//! The accounts that are kept: which they are, and what programs get of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use restream_oauth_core::Client;
use restream_oauth_keeper::store::{FileStore, StoreOp, StoreOutcome};
use restream_oauth_keeper::{Current, Gone, Grant, GrantName, Keeper, Stored, TokenError};

use crate::arguments::{Keep, TokensOption};
use crate::failure::{Exit, Failure};
use crate::terminal::{alert, say};
use crate::tokens::file::TokenFile;
use crate::tokens::newest::{ANOTHER, is_behind};
use crate::tokens::place::{Place, TokensPath, accounts};

/// The accounts to begin with. Each has tokens of this client and server, or had some.
pub(crate) struct Chosen {
    folder: PathBuf,
    names: Vec<GrantName>,
    /// The account that is meant where none is named.
    default: Option<GrantName>,
}

/// Chooses the accounts by the options. Fails if one of them has no tokens, or tokens of another client or server.
pub(crate) fn choose(options: &Keep, client: &Client) -> Result<Chosen, Failure> {
    let default = account(None).ok();
    let places = if options.all {
        accounts()?.into_iter().filter_map(|place| with_tokens(place).transpose()).collect::<Result<_, _>>()?
    } else if options.accounts.is_empty() {
        vec![account(None)?]
    } else {
        options.accounts.iter().map(|name| account(Some(name))).collect::<Result<Vec<_>, _>>()?
    };
    let mut names = BTreeSet::new();
    for place in &places {
        check(place, client)?;
        names.extend(place.account().cloned());
    }
    let Some(folder) = places.first().and_then(|place| place.path().parent()).map(Path::to_path_buf) else {
        return Err(Failure::new(Exit::Reauthorize, "there are no accounts yet: log in"));
    };
    let default = default.and_then(|place| place.account().cloned());
    Ok(Chosen { folder, names: names.into_iter().collect(), default })
}

impl Chosen {
    /// The store of the accounts.
    pub(crate) fn store(&self) -> Result<FileStore, Failure> {
        Ok(FileStore::at(&self.folder)?)
    }
}

/// The accounts that are kept.
pub(crate) struct Kept {
    keeper: Keeper,
    /// Another store than the keeper's: to read, it never waits for an operation of the keeper.
    records: FileStore,
    default: Option<GrantName>,
    state: Mutex<State>,
}

struct State {
    grants: BTreeMap<GrantName, Grant>,
    /// Accounts that cannot be kept. A person has been told.
    refused: BTreeSet<GrantName>,
}

impl Kept {
    pub(crate) fn new(keeper: Keeper, chosen: &Chosen) -> Result<Self, Failure> {
        let state = Mutex::new(State { grants: BTreeMap::new(), refused: BTreeSet::new() });
        let kept = Self { keeper, records: chosen.store()?, default: chosen.default.clone(), state };
        chosen.names.iter().try_for_each(|name| kept.add(name))?;
        Ok(kept)
    }

    fn add(&self, name: &GrantName) -> Result<(), Failure> {
        let grant = self.keeper.grant(name.as_str()).map_err(|error| Failure::other(error.to_string()))?;
        self.state().grants.insert(name.clone(), grant);
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn names(&self) -> Vec<GrantName> {
        self.state().grants.keys().cloned().collect()
    }

    /// The grant of an account. Without a name it is that of the default account, or of the only one.
    pub(crate) fn grant(&self, name: Option<&GrantName>) -> Option<Grant> {
        let state = self.state();
        let only = state.grants.values().next().filter(|_| state.grants.len() == 1);
        match name {
            Some(name) => state.grants.get(name).cloned(),
            None => only.or_else(|| state.grants.get(self.default.as_ref()?)).cloned(),
        }
    }

    /// What the file of an account holds at this moment; `None` if it cannot be read.
    pub(crate) fn stored(&self, name: &GrantName) -> Option<Stored> {
        match self.records.run(name, StoreOp::Read) {
            StoreOutcome::Read { stored, .. } => Some(stored),
            _ => None,
        }
    }

    /// Has the keeper read what other processes have written: a refresh, a login or a logout.
    pub(crate) fn catch_up(&self) {
        let grants: Vec<_> = self.state().grants.values().cloned().collect();
        for grant in grants {
            if self.stored(&grant.name()).is_some_and(|stored| is_behind(&grant, &stored)) {
                tokio::spawn(async move { grant.token_for(ANOTHER).await.map(drop) });
            }
        }
    }

    /// Waits until somebody has to log in again, for every account.
    pub(crate) async fn all_gone(&self) {
        loop {
            let alive = self.state().grants.values().find(|it| !matches!(it.current(), Current::Gone(_))).cloned();
            let Some(alive) = alive else { return };
            // No token has this generation, so the wait ends when there will be none.
            if let Err(TokenError::NotRunning | TokenError::ShuttingDown) = alive.changed(u64::MAX).await {
                return std::future::pending().await;
            }
        }
    }

    /// The accounts whose users have to log in again.
    pub(crate) fn reasons(&self) -> Vec<(GrantName, Gone)> {
        let state = self.state();
        let gone = state.grants.iter().filter_map(|(name, grant)| match grant.current() {
            Current::Gone(gone) => Some((name.clone(), gone)),
            _ => None,
        });
        gone.collect()
    }

    /// Keeps accounts that are new since the last look. One that cannot be kept is named once, and ends nothing.
    pub(crate) fn look_for_more(&self, client: &Client) {
        // The next look may succeed.
        let Ok(places) = accounts() else { return };
        for place in places {
            let Some(name) = place.account() else { continue };
            let known = self.state().grants.contains_key(name);
            // A file without tokens may become an account.
            if known || !matches!(with_tokens(place.clone()), Ok(Some(_))) {
                continue;
            }
            match check(&place, client).and_then(|()| self.add(name)) {
                Ok(()) => say(&format!("keeping {name} too")),
                Err(failure) => {
                    if self.state().refused.insert(name.clone()) {
                        alert(&format!("{}\naccount {name} is not kept", failure.message()));
                    }
                }
            }
        }
    }
}

/// The place of an account; without a name that of the default account.
fn account(name: Option<&GrantName>) -> Result<TokensPath, Failure> {
    let place = Place::of(&TokensOption { account: name.cloned(), file: None })?;
    place.file().filter(|file| file.account().is_some()).cloned().ok_or_else(|| {
        Failure::usage("`keep` keeps accounts, and RESTREAM_TOKENS names another place: give --account NAME or --all")
    })
}

/// The same place, if it holds tokens.
fn with_tokens(place: TokensPath) -> Result<Option<TokensPath>, Failure> {
    let file = TokenFile::at(&place, Duration::ZERO)?;
    let there = file.record()?.is_some() || file.has_something_left();
    Ok(Some(place).filter(|_| there))
}

/// Fails if an account has no tokens, or tokens of another client or server.
fn check(place: &TokensPath, client: &Client) -> Result<(), Failure> {
    let file = TokenFile::at(place, Duration::ZERO)?;
    // The folder may be missing, too, which the store takes for a fault.
    let record = if place.path().exists() { file.record()? } else { None };
    match record {
        Some(record) => {
            client.check_owner(&record.tokens).map_err(|error| Failure::from(error).about(&place.path().display()))
        }
        // A login that was interrupted is put in place by the keeper.
        None if file.has_something_left() => Ok(()),
        None => Err(file.no_tokens().ending_with(Exit::Reauthorize)),
    }
}
