//! The checks, in the order in which one tends to get them right.

use super::bench::{Bench, Verdict, busy, claim_lost, claimed, done, grant, prepared, put, same, superseded};
use super::pairs;
use super::records::{answer, doubted, full, login, next, tokens};
use crate::name::GrantName;
use crate::operation::{Leftovers, Store, StoreOp, StoreOutcome};
use crate::record::{Record, Stored, Tombstone};

pub(super) type Check<S> = fn(&Bench<S>) -> Verdict;

/// Every check, with its name.
pub(super) fn all<S: Store>() -> Vec<(&'static str, Check<S>)> {
    vec![
        ("a-grant-is-empty-before-its-first-login", empty),
        ("a-claim-is-exclusive", exclusive),
        ("a-claim-returns-the-newest-record", newest),
        ("claims-have-different-numbers", numbers),
        ("a-record-is-read-back-as-it-was", read_back),
        ("grants-do-not-touch-each-other", independent),
        ("prepare-replaces-the-record", prepare),
        ("a-spooled-answer-is-returned-by-the-next-claim", spool),
        ("every-answer-of-a-claim-is-kept", several_answers),
        ("a-large-answer-is-kept-whole", large_answer),
        ("commit-replaces-its-parent-alone", pairs::commit),
        ("commit-works-after-the-claim-ran-out", pairs::late_commit),
        ("commit-never-inserts", pairs::commit_inserts_nothing),
        ("park-adds-a-pair-of-the-same-login-once", pairs::park),
        ("park-is-not-refused-within-the-login", pairs::late_park),
        ("park-is-refused-for-another-login", pairs::park_elsewhere),
        ("a-stashed-login-is-returned-by-the-next-claim", stash),
        ("a-login-stashed-during-a-claim-stays", stash_during_a_claim),
        ("read-says-that-something-is-left-for-a-claim", read_left),
        ("insert-stores-a-login-over-anything", insert),
        ("settle-replaces-the-record-and-releases", settle),
        ("settle-without-a-claim-clears-no-doubt", late_settle),
        ("settle-releases-also-if-superseded", settle_superseded),
        ("removed-leftovers-are-gone", removed),
        ("leftovers-that-are-left-come-again", left),
        ("leftovers-that-are-set-aside-come-no-more", set_aside),
        ("a-claim-that-ran-out-changes-nothing", stale),
        ("a-claim-of-somebody-else-is-not-released", foreign_claim),
        ("forget-leaves-a-tombstone", forget),
    ]
}

fn empty<S: Store>(bench: &Bench<S>) -> Verdict {
    bench.stored_is(&Stored::Nothing)?;
    let claimed = bench.claim()?;
    same("Claim", &claimed.stored, &Stored::Nothing)?;
    same("spooled answers", &claimed.spooled.len(), &0)?;
    same("stashed logins", &claimed.logins.len(), &0)?;
    bench.release(claimed.claim, Leftovers::Leave)
}

fn exclusive<S: Store>(bench: &Bench<S>) -> Verdict {
    let first = bench.claim()?.claim;
    busy("Claim through the second handle", &bench.other(StoreOp::Claim))?;
    busy("Claim through the first handle", &bench.one(StoreOp::Claim))?;
    bench.release(first, Leftovers::Leave)?;
    let second = claimed(bench.other(StoreOp::Claim))?.claim;
    busy("Claim through the first handle", &bench.one(StoreOp::Claim))?;
    done("Settle", &bench.other(StoreOp::Settle { claim: second, record: None, leftovers: Leftovers::Leave }))?;
    bench.release(bench.claim()?.claim, Leftovers::Leave)
}

fn newest<S: Store>(bench: &Bench<S>) -> Verdict {
    let first = login("1")?;
    put(bench, &first)?;
    let found = claimed(bench.other(StoreOp::Claim))?;
    same("Claim through the second handle", &found.stored, &grant(&first))?;
    let second = next(&first, "2")?;
    let commit = StoreOp::Commit { claim: found.claim, parent: first.parent(), record: second.clone() };
    done("Commit", &bench.other(commit))?;
    let settle = StoreOp::Settle { claim: found.claim, record: None, leftovers: Leftovers::Remove };
    done("Settle", &bench.other(settle))?;
    same("Claim through the first handle", &bench.claim()?.stored, &grant(&second))
}

fn numbers<S: Store>(bench: &Bench<S>) -> Verdict {
    let mut seen = Vec::new();
    for _ in 0..3 {
        let claim = bench.claim()?.claim;
        bench.release(claim, Leftovers::Leave)?;
        let other = claimed(bench.other(StoreOp::Claim))?.claim;
        done("Settle", &bench.other(StoreOp::Settle { claim: other, record: None, leftovers: Leftovers::Leave }))?;
        seen.extend([claim, other]);
    }
    let all = seen.len();
    seen.sort();
    seen.dedup();
    same("different numbers", &seen.len(), &all)
}

fn read_back<S: Store>(bench: &Bench<S>) -> Verdict {
    let without_refresh_token = {
        let saved = r#"{"version":1,"kind":"tokens","access_token":"a","token_type":"other","sent_at":"-1.500000000","expires_in":0,"refresh_expires_in":0,"oddities":""}"#;
        let tokens = restream_oauth_core::Tokens::from_saved(saved).map_err(|error| error.to_string())?;
        Box::new(Record::of_login(tokens, std::time::SystemTime::UNIX_EPOCH))
    };
    for record in [login("1")?, full("2")?, without_refresh_token] {
        put(bench, &record)?;
        bench.stored_is(&grant(&record))?;
        let claimed = bench.claim()?;
        same("Claim", &claimed.stored, &grant(&record))?;
        bench.release(claimed.claim, Leftovers::Leave)?;
    }
    Ok(())
}

fn independent<S: Store>(bench: &Bench<S>) -> Verdict {
    let name: GrantName = format!("{}-2", bench.grant).parse().map_err(|error| format!("{error}"))?;
    let elsewhere = |op| super::bench::block_on(bench.one.execute(&name, op));
    put(bench, &*login("1")?)?;
    let claim = bench.claim()?.claim;
    let other = claimed(elsewhere(StoreOp::Claim))?;
    same("Claim of another grant", &other.stored, &Stored::Nothing)?;
    let insert = StoreOp::Insert { claim: other.claim, record: login("2")? };
    done("Insert", &elsewhere(insert))?;
    let tombstone = login("1")?.tombstone();
    done("Forget", &bench.one(StoreOp::Forget { claim, tombstone }))?;
    match elsewhere(StoreOp::Read) {
        StoreOutcome::Read { stored, .. } => same("Read of another grant", &stored, &grant(&*login("2")?))?,
        outcome => return Err(format!("Read returned {outcome:?}")),
    }
    done("Settle", &elsewhere(StoreOp::Settle { claim: other.claim, record: None, leftovers: Leftovers::Remove }))
}

fn prepare<S: Store>(bench: &Bench<S>) -> Verdict {
    let (claim, record) = prepared(bench)?;
    bench.stored_is(&grant(&record))?;
    busy("Claim through the second handle", &bench.other(StoreOp::Claim))?;
    let later = Box::new(Record { generation: 5, ..*record.clone() });
    let outcome = bench.one(StoreOp::Prepare { claim, record: later });
    superseded("Prepare of another generation", &outcome, &grant(&record))?;
    let again = doubted(&record, 2);
    done("Prepare", &bench.one(StoreOp::Prepare { claim, record: again.clone() }))?;
    bench.stored_is(&grant(&again))?;
    bench.release(claim, Leftovers::Leave)?;
    let claimed = bench.claim()?;
    same("Claim", &claimed.stored, &grant(&again))?;
    same("spooled answers, where none was spooled", &claimed.spooled.len(), &0)
}

fn spool<S: Store>(bench: &Bench<S>) -> Verdict {
    let (claim, record) = prepared(bench)?;
    let answer = answer(record.parent(), 1, 100);
    done("Spool", &bench.one(StoreOp::Spool { claim, answer: answer.clone() }))?;
    bench.release(claim, Leftovers::Leave)?;
    let claimed = claimed(bench.other(StoreOp::Claim))?;
    same("spooled answers", &claimed.spooled, &vec![answer])
}

fn several_answers<S: Store>(bench: &Bench<S>) -> Verdict {
    let (claim, record) = prepared(bench)?;
    let answers: Vec<_> = [1, 2, 3].map(|number| answer(record.parent(), number, 10)).into();
    for answer in &answers {
        done("Spool", &bench.one(StoreOp::Spool { claim, answer: answer.clone() }))?;
        let record = doubted(&record, answer.number.saturating_add(1));
        done("Prepare", &bench.one(StoreOp::Prepare { claim, record }))?;
    }
    bench.release(claim, Leftovers::Leave)?;
    let mut spooled = bench.claim()?.spooled;
    spooled.sort_by_key(|spooled| spooled.number);
    same("spooled answers", &spooled, &answers)
}

fn large_answer<S: Store>(bench: &Bench<S>) -> Verdict {
    let (claim, record) = prepared(bench)?;
    let answer = answer(record.parent(), 1, 400_000);
    done("Spool", &bench.one(StoreOp::Spool { claim, answer: answer.clone() }))?;
    bench.release(claim, Leftovers::Leave)?;
    same("spooled answers", &bench.claim()?.spooled, &vec![answer])
}

fn stash<S: Store>(bench: &Bench<S>) -> Verdict {
    for name in ["1", "2"] {
        done("Stash", &bench.one(StoreOp::Stash { tokens: Box::new(tokens(name)?) }))?;
    }
    bench.stored_is(&Stored::Nothing)?;
    let found = claimed(bench.other(StoreOp::Claim))?;
    same("stashed logins", &found.logins, &vec![tokens("1")?, tokens("2")?])?;
    let settle = |leftovers| StoreOp::Settle { claim: found.claim, record: None, leftovers };
    done("Settle", &bench.other(settle(Leftovers::Leave)))?;
    let claimed = bench.claim()?;
    same("stashed logins that were left", &claimed.logins.len(), &2)?;
    bench.release(claimed.claim, Leftovers::Remove)?;
    let claimed = bench.claim()?;
    same("stashed logins that were removed", &claimed.logins.len(), &0)
}

fn stash_during_a_claim<S: Store>(bench: &Bench<S>) -> Verdict {
    put(bench, &*login("1")?)?;
    let claim = bench.claim()?.claim;
    done("Stash", &bench.other(StoreOp::Stash { tokens: Box::new(tokens("2")?) }))?;
    bench.release(claim, Leftovers::Remove)?;
    let found = bench.claim()?;
    same("a login that was stashed during a claim", &found.logins, &vec![tokens("2")?])?;
    done("Stash", &bench.other(StoreOp::Stash { tokens: Box::new(tokens("3")?) }))?;
    let tombstone = login("1")?.tombstone();
    done("Forget", &bench.one(StoreOp::Forget { claim: found.claim, tombstone }))?;
    same("a login that was stashed during a logout", &bench.claim()?.logins, &vec![tokens("3")?])
}

fn read_left<S: Store>(bench: &Bench<S>) -> Verdict {
    let left = |expected: bool| match bench.other(StoreOp::Read) {
        StoreOutcome::Read { left, .. } => same("`left` of Read", &left, &expected),
        outcome => Err(format!("Read returned {outcome:?}")),
    };
    left(false)?;
    done("Stash", &bench.one(StoreOp::Stash { tokens: Box::new(tokens("1")?) }))?;
    left(true)?;
    bench.release(bench.claim()?.claim, Leftovers::Remove)?;
    left(false)?;
    let (claim, record) = prepared(bench)?;
    done("Spool", &bench.one(StoreOp::Spool { claim, answer: answer(record.parent(), 1, 10) }))?;
    bench.release(claim, Leftovers::Leave)?;
    left(true)?;
    bench.release(bench.claim()?.claim, Leftovers::SetAside)?;
    left(false)
}

fn insert<S: Store>(bench: &Bench<S>) -> Verdict {
    let first = login("1")?;
    put(bench, &first)?;
    bench.stored_is(&grant(&first))?;
    let second = Box::new(Record { generation: 1, ..*login("2")? });
    put(bench, &second)?;
    bench.stored_is(&grant(&second))?;
    let tombstone = second.tombstone();
    done("Forget", &bench.one(StoreOp::Forget { claim: bench.claim()?.claim, tombstone }))?;
    let third = Box::new(Record { generation: 2, ..*login("3")? });
    put(bench, &third)?;
    bench.stored_is(&grant(&third))?;
    same("Claim", &bench.claim()?.stored, &grant(&third))
}

fn settle<S: Store>(bench: &Bench<S>) -> Verdict {
    let (claim, _) = prepared(bench)?;
    let clean = login("1")?;
    let settle = StoreOp::Settle { claim, record: Some(clean.clone()), leftovers: Leftovers::Remove };
    done("Settle", &bench.one(settle))?;
    bench.stored_is(&grant(&clean))?;
    let found = claimed(bench.other(StoreOp::Claim))?;
    same("Claim", &found.stored, &grant(&clean))?;
    let settle = StoreOp::Settle { claim: found.claim, record: None, leftovers: Leftovers::Leave };
    done("Settle", &bench.other(settle))
}

fn late_settle<S: Store>(bench: &Bench<S>) -> Verdict {
    put(bench, &*login("1")?)?;
    let claim = bench.claim()?.claim;
    let record = doubted(&*login("1")?, 2);
    done("Prepare", &bench.one(StoreOp::Prepare { claim, record: record.clone() }))?;
    bench.release(claim, Leftovers::Leave)?;
    let settle = |record: &Record| {
        let record = Some(Box::new(record.clone()));
        bench.one(StoreOp::Settle { claim, record, leftovers: Leftovers::Remove })
    };
    // It must not clear the doubt of a later request.
    let fewer = doubted(&record, 1);
    for record in [&*login("1")?, &*fewer] {
        claim_lost("Settle that knows less of the doubt", &settle(record))?;
    }
    bench.stored_is(&grant(&record))?;
    let mut same_doubt = record.clone();
    same_doubt.doubt = fewer.doubt;
    done("Settle that knows as much of the doubt", &settle(&same_doubt))?;
    bench.stored_is(&grant(&same_doubt))?;
    let more = doubted(&record, 3);
    done("Settle that knows more of the doubt", &settle(&more))?;
    bench.stored_is(&grant(&more))?;
    let second = next(&record, "2")?;
    done("Commit", &bench.one(StoreOp::Commit { claim, parent: record.parent(), record: second.clone() }))?;
    superseded("Settle after a commit", &settle(&more), &grant(&second))?;
    bench.stored_is(&grant(&second))
}

fn settle_superseded<S: Store>(bench: &Bench<S>) -> Verdict {
    let (claim, record) = prepared(bench)?;
    let second = next(&record, "2")?;
    done("Commit", &bench.one(StoreOp::Commit { claim, parent: record.parent(), record: second.clone() }))?;
    let settle = StoreOp::Settle { claim, record: Some(record), leftovers: Leftovers::Remove };
    superseded("Settle", &bench.one(settle), &grant(&second))?;
    bench.stored_is(&grant(&second))?;
    claimed(bench.other(StoreOp::Claim)).map(|_| ())
}

/// Spools an answer, stashes a login, claims both, and releases them as told.
fn with_leftovers<S: Store>(bench: &Bench<S>, leftovers: Leftovers) -> Verdict {
    let (claim, record) = prepared(bench)?;
    done("Spool", &bench.one(StoreOp::Spool { claim, answer: answer(record.parent(), 1, 10) }))?;
    done("Stash", &bench.one(StoreOp::Stash { tokens: Box::new(tokens("2")?) }))?;
    bench.release(claim, Leftovers::Leave)?;
    let found = bench.claim()?;
    same("spooled answers and logins", &(found.spooled.len(), found.logins.len()), &(1, 1))?;
    bench.release(found.claim, leftovers)
}

fn removed<S: Store>(bench: &Bench<S>) -> Verdict {
    with_leftovers(bench, Leftovers::Remove)?;
    let found = bench.claim()?;
    same("spooled answers and logins", &(found.spooled.len(), found.logins.len()), &(0, 0))?;
    bench.release(found.claim, Leftovers::Leave)?;

    // Those of the same claim too.
    let (claim, record) = prepared(bench)?;
    done("Spool", &bench.one(StoreOp::Spool { claim, answer: answer(record.parent(), 1, 10) }))?;
    bench.release(claim, Leftovers::Remove)?;
    same("spooled answers of the same claim", &bench.claim()?.spooled.len(), &0)
}

fn left<S: Store>(bench: &Bench<S>) -> Verdict {
    with_leftovers(bench, Leftovers::Leave)?;
    let found = bench.claim()?;
    same("spooled answers and logins", &(found.spooled.len(), found.logins.len()), &(1, 1))
}

fn set_aside<S: Store>(bench: &Bench<S>) -> Verdict {
    with_leftovers(bench, Leftovers::SetAside)?;
    let found = bench.claim()?;
    same("spooled answers and logins", &(found.spooled.len(), found.logins.len()), &(0, 0))?;
    bench.release(found.claim, Leftovers::Remove)?;
    let found = bench.claim()?;
    same("spooled answers and logins", &(found.spooled.len(), found.logins.len()), &(0, 0))
}

fn stale<S: Store>(bench: &Bench<S>) -> Verdict {
    let (claim, record) = prepared(bench)?;
    bench.release(claim, Leftovers::Leave)?;
    let untouched = grant(&record);
    let tombstone = record.tombstone();
    // Nobody has the grant; another process has it; this process has a later claim.
    for holder in 0..3 {
        let other = if holder == 1 { Some(claimed(bench.other(StoreOp::Claim))?.claim) } else { None };
        if holder == 2 {
            bench.claim()?;
        }
        let prepare = StoreOp::Prepare { claim, record: doubted(&record, 2) };
        claim_lost("Prepare", &bench.one(prepare))?;
        claim_lost("Spool", &bench.one(StoreOp::Spool { claim, answer: answer(record.parent(), 1, 10) }))?;
        claim_lost("Insert", &bench.one(StoreOp::Insert { claim, record: login("2")? }))?;
        claim_lost("Forget", &bench.one(StoreOp::Forget { claim, tombstone }))?;
        bench.stored_is(&untouched)?;
        bench.release(claim, Leftovers::Remove)?;
        if holder > 0 {
            busy("Claim", &bench.one(StoreOp::Claim))?;
            busy("Claim", &bench.other(StoreOp::Claim))?;
        }
        if let Some(other) = other {
            done("Settle", &bench.other(StoreOp::Settle { claim: other, record: None, leftovers: Leftovers::Leave }))?;
        }
    }
    Ok(())
}

fn foreign_claim<S: Store>(bench: &Bench<S>) -> Verdict {
    let (claim, record) = prepared(bench)?;
    bench.release(claim, Leftovers::Leave)?;
    let other = claimed(bench.other(StoreOp::Claim))?.claim;
    let answer = answer(record.parent(), 1, 10);
    done("Spool", &bench.other(StoreOp::Spool { claim: other, answer: answer.clone() }))?;
    for leftovers in [Leftovers::Leave, Leftovers::SetAside, Leftovers::Remove] {
        bench.release(claim, leftovers)?;
        busy("Claim", &bench.one(StoreOp::Claim))?;
    }
    let settle = StoreOp::Settle { claim: other, record: None, leftovers: Leftovers::Leave };
    done("Settle", &bench.other(settle))?;
    same("the answer of the other claim", &bench.claim()?.spooled, &vec![answer])
}

fn forget<S: Store>(bench: &Bench<S>) -> Verdict {
    with_leftovers(bench, Leftovers::SetAside)?;
    let (claim, record) = prepared(bench)?;
    done("Spool", &bench.one(StoreOp::Spool { claim, answer: answer(record.parent(), 1, 10) }))?;
    let tombstone = Tombstone { generation: 41, ..record.tombstone() };
    done("Forget", &bench.one(StoreOp::Forget { claim, tombstone }))?;
    bench.stored_is(&Stored::Tombstone(tombstone))?;
    let found = claimed(bench.other(StoreOp::Claim))?;
    same("Claim after Forget", &found.stored, &Stored::Tombstone(tombstone))?;
    same("spooled answers and logins", &(found.spooled.len(), found.logins.len()), &(0, 0))
}
