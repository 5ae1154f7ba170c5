//! Every store passes the contract, and the contract finds a store that breaks a sentence of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use restream_oauth_keeper::store::{ClaimId, Leftovers, MemoryStore, Row, Store};
use restream_oauth_keeper::store::{StoreError, StoreErrorKind, StoreOp, StoreOutcome};
use restream_oauth_keeper::{GrantName, Record, contract};

#[test]
fn the_memory_store_passes() {
    contract::check(|| {
        let store = Arc::new(MemoryStore::new());
        (Arc::clone(&store), store)
    })
    .unwrap();
}

#[test]
fn the_memory_store_with_a_hook_passes() {
    contract::check(|| {
        let store = Arc::new(MemoryStore::with_hook(|_, _| async { Ok(()) }));
        (Arc::clone(&store), store)
    })
    .unwrap();
}

/// Somebody else's database: texts under names, which are replaced only if nobody has changed them meanwhile.
#[derive(Clone, Default)]
struct Database(Arc<Mutex<BTreeMap<String, String>>>);

impl Database {
    fn get(&self, name: &str) -> String {
        self.0.lock().unwrap().get(name).cloned().unwrap_or_default()
    }

    fn compare_and_swap(&self, name: &str, old: &str, new: &str) -> bool {
        let mut texts = self.0.lock().unwrap();
        let text = texts.entry(name.to_owned()).or_default();
        let unchanged = text == old;
        if unchanged {
            new.clone_into(text);
        }
        unchanged
    }
}

// begin glue
/// The glue that makes it a store.
impl Store for Database {
    async fn execute(&self, grant: &GrantName, op: StoreOp) -> StoreOutcome {
        const LEASE: Duration = Duration::from_secs(120);
        loop {
            let text = self.get(grant.as_str());
            let mut row = match Row::from_saved(&text) {
                Ok(row) => row,
                Err(error) => {
                    let words = format!("the row of {grant} cannot be read: {error}");
                    return StoreOutcome::Failed(StoreError::new(StoreErrorKind::Document(error), words));
                }
            };
            let outcome = row.execute_leased(op.clone(), SystemTime::now(), LEASE);
            if self.compare_and_swap(grant.as_str(), &text, &row.to_saved()) {
                return outcome;
            }
        }
    }
}
// end glue

#[test]
fn a_foreign_store_in_forty_lines_passes() {
    let glue = include_str!("contract.rs").split("// begin glue\n").nth(1).unwrap();
    assert!(glue.lines().take_while(|line| *line != "// end glue").count() <= 40);
    contract::check(|| {
        let database = Database::default();
        (database.clone(), database)
    })
    .unwrap();
}

/// The same database, whose texts nobody reads who has no key.
#[cfg(feature = "sealed")]
#[test]
fn a_foreign_store_that_seals_its_rows_passes_and_shows_no_token() {
    use restream_oauth_keeper::seal::{About, KeyRing, Kind, Sealer};

    #[derive(Clone)]
    struct Sealed(Database, Sealer);

    impl Store for Sealed {
        async fn execute(&self, grant: &GrantName, op: StoreOp) -> StoreOutcome {
            let Self(database, sealer) = self;
            loop {
                let text = database.get(grant.as_str());
                let mut row = match text.as_str() {
                    "" => Row::default(),
                    text => match sealer.open(Kind::Row, grant, text.as_bytes()) {
                        Ok(opened) => Row::from_saved(&*opened).unwrap(),
                        Err(error) => {
                            let words = format!("the row of {grant} cannot be used: {error}");
                            return StoreOutcome::Failed(StoreError::new(StoreErrorKind::Sealed(error), words));
                        }
                    },
                };
                let outcome = row.execute_leased(op.clone(), SystemTime::now(), Duration::from_secs(120));
                let new = sealer.seal(Kind::Row, grant, &About::default(), &row.to_saved()).unwrap();
                if database.compare_and_swap(grant.as_str(), &text, &new) {
                    return outcome;
                }
            }
        }
    }

    let database = Database::default();
    let ring = KeyRing::parse(&format!("k1:{}", "1f".repeat(32))).unwrap();
    contract::check(|| {
        let store = Sealed(database.clone(), Sealer::new(ring.clone()));
        (store.clone(), store)
    })
    .unwrap();
    let mut texts = database.0.lock().unwrap();
    assert!(texts.len() > 10 && texts.values().all(|text| !text.contains("token")));
    // The rows of two grants cannot be swapped.
    let (one, other) = (texts.keys().next().unwrap().clone(), texts.keys().next_back().unwrap().clone());
    let (first, last) = (texts[&one].clone(), texts[&other].clone());
    texts.extend([(one.clone(), last), (other, first)]);
    drop(texts);
    let store = Sealed(database, Sealer::new(ring));
    let outcome = block_on(store.execute(&one.parse().unwrap(), StoreOp::Read));
    let StoreOutcome::Failed(error) = outcome else { panic!("{outcome:?}") };
    assert!(matches!(error.kind(), StoreErrorKind::Sealed(_)), "{error}");
}

/// Two writers never undo each other's work, because a lost race is executed again on what won it.
#[test]
fn a_foreign_store_executes_an_operation_again_whose_row_has_changed_meanwhile() {
    let (database, grant): (Database, GrantName) = (Database::default(), "raced".parse().unwrap());
    let claims: Vec<_> = (0..8)
        .map(|_| {
            let (database, grant) = (database.clone(), grant.clone());
            std::thread::spawn(move || block_on(database.execute(&grant, StoreOp::Claim)))
        })
        .collect();
    let outcomes: Vec<_> = claims.into_iter().map(|claim| claim.join().unwrap()).collect();
    assert_eq!(outcomes.iter().filter(|outcome| matches!(outcome, StoreOutcome::Claimed(_))).count(), 1);
    assert_eq!(outcomes.iter().filter(|outcome| matches!(outcome, StoreOutcome::Busy)).count(), 7);
}

fn block_on<F: Future>(future: F) -> F::Output {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        std::task::Poll::Ready(output) => output,
        std::task::Poll::Pending => panic!("this store never waits"),
    }
}

fn failed(kind: StoreErrorKind) -> StoreOutcome {
    StoreOutcome::Failed(StoreError::new(kind, "the database said no"))
}

/// A store that does one thing wrong.
#[derive(Clone)]
struct Faulty {
    store: Arc<MemoryStore>,
    other: Arc<MemoryStore>,
    fault: Fault,
    latest: Arc<Mutex<Option<ClaimId>>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    TwoStores,
    NeverReleases,
    ForgetsAnswers,
    MixesUpAnswers,
    PrepareWritesNothing,
    CommitOverAnything,
    CommitByClaim,
    ParksNothing,
    ParksForAnybody,
    LosesLogins,
    SettlesDoubtsOfOthers,
    RemovesAlways,
    RemovesNothing,
    ReleasesAnyClaim,
    InsertLosesAMember,
    ForgetsWithoutATombstone,
    SaysThatNothingIsLeft,
}

const FAULTS: [Fault; 17] = [
    Fault::TwoStores,
    Fault::NeverReleases,
    Fault::ForgetsAnswers,
    Fault::MixesUpAnswers,
    Fault::PrepareWritesNothing,
    Fault::CommitOverAnything,
    Fault::CommitByClaim,
    Fault::ParksNothing,
    Fault::ParksForAnybody,
    Fault::LosesLogins,
    Fault::SettlesDoubtsOfOthers,
    Fault::RemovesAlways,
    Fault::RemovesNothing,
    Fault::ReleasesAnyClaim,
    Fault::InsertLosesAMember,
    Fault::ForgetsWithoutATombstone,
    Fault::SaysThatNothingIsLeft,
];

impl Store for Faulty {
    async fn execute(&self, grant: &GrantName, op: StoreOp) -> StoreOutcome {
        let stored = self.store.get(grant);
        let op = match (self.fault, op) {
            (Fault::NeverReleases, StoreOp::Settle { .. }) => return StoreOutcome::Done,
            (Fault::ForgetsAnswers, StoreOp::Spool { .. })
            | (Fault::PrepareWritesNothing, StoreOp::Prepare { .. })
            | (Fault::ParksNothing, StoreOp::Park { .. })
            | (Fault::LosesLogins, StoreOp::Stash { .. }) => return StoreOutcome::Done,
            (Fault::MixesUpAnswers, StoreOp::Spool { claim, mut answer }) => {
                answer.number += 1;
                StoreOp::Spool { claim, answer }
            }
            (Fault::CommitOverAnything, StoreOp::Commit { claim, parent, record }) => {
                StoreOp::Commit { claim, parent: stored.record().map_or(parent, Record::parent), record }
            }
            (Fault::CommitByClaim, StoreOp::Commit { claim, .. }) if *self.latest.lock().unwrap() != Some(claim) => {
                return failed(StoreErrorKind::ClaimLost);
            }
            (Fault::ParksForAnybody, StoreOp::Park { mut parent, tokens }) => {
                parent.login = stored.record().map_or(parent.login, |record| record.login);
                StoreOp::Park { parent, tokens }
            }
            (Fault::SettlesDoubtsOfOthers, StoreOp::Settle { record: Some(record), claim, .. })
                if *self.latest.lock().unwrap() != Some(claim) =>
            {
                StoreOp::Commit { claim, parent: record.parent(), record }
            }
            (Fault::RemovesAlways, StoreOp::Settle { claim, record, .. }) => {
                StoreOp::Settle { claim, record, leftovers: Leftovers::Remove }
            }
            (Fault::RemovesNothing, StoreOp::Settle { claim, record, .. }) => {
                StoreOp::Settle { claim, record, leftovers: Leftovers::Leave }
            }
            (Fault::ReleasesAnyClaim, StoreOp::Settle { claim, record, leftovers }) => {
                let claim = self.latest.lock().unwrap().unwrap_or(claim);
                StoreOp::Settle { claim, record, leftovers }
            }
            (Fault::InsertLosesAMember, StoreOp::Insert { claim, mut record }) => {
                record.user = None;
                StoreOp::Insert { claim, record }
            }
            (Fault::ForgetsWithoutATombstone, StoreOp::Forget { claim, mut tombstone }) => {
                tombstone.generation = 0;
                StoreOp::Forget { claim, tombstone }
            }
            (_, op) => op,
        };
        let released = matches!(op, StoreOp::Settle { .. });
        let outcome = match self.fault {
            Fault::TwoStores => self.other.execute(grant, op).await,
            _ => self.store.execute(grant, op).await,
        };
        match &outcome {
            StoreOutcome::Claimed(claimed) => *self.latest.lock().unwrap() = Some(claimed.claim),
            StoreOutcome::Done if released && self.fault != Fault::ReleasesAnyClaim => {
                *self.latest.lock().unwrap() = None;
            }
            _ => {}
        }
        match outcome {
            StoreOutcome::Read { stored, .. } if self.fault == Fault::SaysThatNothingIsLeft => {
                StoreOutcome::Read { stored, left: false }
            }
            outcome => outcome,
        }
    }
}

#[test]
fn each_fault_of_a_store_is_found() {
    for fault in FAULTS {
        let broken = contract::check(|| {
            let store = Arc::new(MemoryStore::new());
            let faulty = |other| Faulty { store: Arc::clone(&store), other, fault, latest: Arc::default() };
            let one = faulty(Arc::new(MemoryStore::new()));
            (one.clone(), Faulty { other: Arc::new(MemoryStore::new()), ..one })
        });
        let Err(broken) = broken else { panic!("{fault:?} is not found") };
        assert!(broken.checks().count() > 0);
        let shown = format!("{broken:?}");
        assert!(!shown.contains("r-1") && !shown.contains("a-late"), "a token is shown: {shown}");
    }
}
