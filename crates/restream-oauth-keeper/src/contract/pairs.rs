//! Checks of `Commit` and `Park`, which a parent judges, and no claim.

use super::bench::{Bench, Verdict, claimed, done, failed, grant, prepared, put, superseded};
use super::records::{login, next, tokens};
use crate::operation::{Leftovers, Store, StoreOp, StoreOutcome};
use crate::record::{LoginId, Parent, Stored, Stray};

pub(super) fn commit<S: Store>(bench: &Bench<S>) -> Verdict {
    let (claim, record) = prepared(bench)?;
    let second = next(&record, "2")?;
    let other_generation = Parent { generation: 1, ..record.parent() };
    let other_login = Parent { login: LoginId::of(&tokens("x")?), ..record.parent() };
    for parent in [other_generation, other_login] {
        let outcome = bench.one(StoreOp::Commit { claim, parent, record: second.clone() });
        superseded("Commit over a stranger", &outcome, &grant(&record))?;
        bench.stored_is(&grant(&record))?;
    }
    // Between the two a refresh token can have been salvaged.
    let other_token = Parent { sent: next(&second, "3")?.parent().sent, ..record.parent() };
    done("Commit", &bench.one(StoreOp::Commit { claim, parent: other_token, record: second.clone() }))?;
    bench.stored_is(&grant(&second))?;
    let outcome = bench.one(StoreOp::Commit { claim, parent: record.parent(), record: second.clone() });
    superseded("Commit for the second time", &outcome, &grant(&second))?;
    bench.release(claim, Leftovers::Remove)?;
    bench.stored_is(&grant(&second))
}

pub(super) fn late_commit<S: Store>(bench: &Bench<S>) -> Verdict {
    let (claim, record) = prepared(bench)?;
    bench.release(claim, Leftovers::Leave)?;
    let second = next(&record, "2")?;
    done("Commit", &bench.one(StoreOp::Commit { claim, parent: record.parent(), record: second.clone() }))?;
    bench.stored_is(&grant(&second))?;

    // While another process has the grant, a store either commits or fails for now.
    let other = claimed(bench.other(StoreOp::Claim))?.claim;
    let third = next(&second, "3")?;
    let commit = StoreOp::Commit { claim, parent: second.parent(), record: third.clone() };
    let first_try = bench.one(commit.clone());
    let committed = matches!(first_try, StoreOutcome::Done);
    if !committed {
        failed("Commit", &first_try)?;
        bench.stored_is(&grant(&second))?;
    }
    done("Settle", &bench.other(StoreOp::Settle { claim: other, record: None, leftovers: Leftovers::Leave }))?;
    if !committed {
        done("Commit after the grant was released", &bench.one(commit))?;
    }
    bench.stored_is(&grant(&third))?;
    // It holds no claim.
    bench.claim().map(|_| ())
}

pub(super) fn commit_inserts_nothing<S: Store>(bench: &Bench<S>) -> Verdict {
    let first = login("1")?;
    let claim = bench.claim()?.claim;
    let commit = || Ok::<_, String>(StoreOp::Commit { claim, parent: first.parent(), record: next(&first, "2")? });
    superseded("Commit over nothing", &bench.one(commit()?), &Stored::Nothing)?;
    bench.stored_is(&Stored::Nothing)?;
    bench.release(claim, Leftovers::Leave)?;

    put(bench, &first)?;
    let tombstone = first.tombstone();
    done("Forget", &bench.one(StoreOp::Forget { claim: bench.claim()?.claim, tombstone }))?;
    superseded("Commit over a tombstone", &bench.one(commit()?), &Stored::Tombstone(tombstone))?;
    bench.stored_is(&Stored::Tombstone(tombstone))
}

pub(super) fn park<S: Store>(bench: &Bench<S>) -> Verdict {
    let (claim, record) = prepared(bench)?;
    let parent = Parent { generation: 9, ..record.parent() };
    let mut expected = record.clone();
    for name in ["late", "later", "late", "later"] {
        done("Park", &bench.one(StoreOp::Park { parent, tokens: Box::new(tokens(name)?) }))?;
    }
    for name in ["late", "later"] {
        expected.strays.push(Stray { generation: 9, tokens: tokens(name)? });
    }
    bench.stored_is(&grant(&expected))?;
    done("Park", &bench.one(StoreOp::Park { parent, tokens: Box::new(record.tokens.clone()) }))?;
    bench.stored_is(&grant(&expected))?;
    bench.release(claim, Leftovers::Leave)
}

pub(super) fn late_park<S: Store>(bench: &Bench<S>) -> Verdict {
    let record = login("1")?;
    put(bench, &record)?;
    let mut expected = record.clone();
    let park = |name| Ok::<_, String>(StoreOp::Park { parent: record.parent(), tokens: Box::new(tokens(name)?) });
    done("Park without a claim", &bench.one(park("late")?))?;
    expected.strays.push(Stray { generation: 0, tokens: tokens("late")? });
    bench.stored_is(&grant(&expected))?;

    // While another process has the grant, a store either parks or fails for now.
    let claim = claimed(bench.other(StoreOp::Claim))?.claim;
    let first_try = bench.one(park("later")?);
    let parked = matches!(first_try, StoreOutcome::Done);
    if !parked {
        failed("Park", &first_try)?;
    }
    done("Settle", &bench.other(StoreOp::Settle { claim, record: None, leftovers: Leftovers::Leave }))?;
    if !parked {
        done("Park after the grant was released", &bench.one(park("later")?))?;
    }
    expected.strays.push(Stray { generation: 0, tokens: tokens("later")? });
    bench.stored_is(&grant(&expected))
}

pub(super) fn park_elsewhere<S: Store>(bench: &Bench<S>) -> Verdict {
    let first = login("1")?;
    let park = || Ok::<_, String>(StoreOp::Park { parent: first.parent(), tokens: Box::new(tokens("late")?) });
    superseded("Park where nothing is", &bench.one(park()?), &Stored::Nothing)?;
    let second = login("2")?;
    put(bench, &second)?;
    superseded("Park of another login", &bench.one(park()?), &grant(&second))?;
    bench.stored_is(&grant(&second))
}
