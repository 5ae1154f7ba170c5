//! The texts of all statements, for stores on other clients and for database administrators.
//!
//! Each operation of a keeper is one statement that commits by itself. No statement needs a session, so a pooler may run
//! each on another connection. A statement whose connection broke has happened wholly or not at all.
//!
//! Parameters are `text`, `bytea` and `bigint`; times are microseconds since 1970 on the database's clock.
//! [`Statement`](crate::Statement) gives them in order. Each statement returns one row with the columns of
//! [`Columns`](crate::Columns), whatever happened.
//!
//! A statement first locks the row, which gives its newest version (`old`), then decides (`judged`), then writes. The row
//! holds everything that belongs to the grant, so no two tables can disagree.

/// The columns in which a statement says when it ran and on which server.
macro_rules! when_and_where {
    () => {
        "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now,
       (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint AS server"
    };
}

/// A parameter of microseconds since 1970, as a time.
macro_rules! time {
    ($number:literal) => {
        time_of!(concat!("$", $number, "::bigint"))
    };
}

/// A number of microseconds since 1970, as a time.
macro_rules! time_of {
    ($number:expr) => {
        concat!("timestamptz 'epoch' + ", $number, " * interval '1 microsecond'")
    };
}

/// A column with a time, as a number under the same name.
macro_rules! microseconds {
    ($column:literal) => {
        concat!("(extract(epoch FROM ", $column, ") * 1000000)::bigint AS ", $column)
    };
}

/// What every statement that writes a record sets. The holder of the claim knows of the strays that were there when it
/// claimed the grant; later ones stay.
macro_rules! set_record {
    () => {
        concat!(
            "record = $3, tombstone = NULL, login = $4, generation = $5, requests = $6,
      usable_until = ",
            time!(7),
            ", run_at = ",
            time!(8),
            ",
      doubt_since = ",
            time!(9),
            ", died_at = ",
            time!(10),
            ", strays = $11"
        )
    };
}

/// Releases the claim, and deals with what is left.
macro_rules! release {
    () => {
        "claim = CASE WHEN g.claim = $2 THEN NULL ELSE g.claim END,
      claimed_until = CASE WHEN g.claim = $2 THEN NULL ELSE g.claimed_until END,
      spooled = CASE WHEN g.claim = $2 AND $12 <> 'leave' THEN NULL ELSE g.spooled END,
      set_aside = CASE WHEN g.claim = $2 AND $12 = 'remove' THEN NULL
        WHEN g.claim = $2 AND $12 = 'aside' THEN g.set_aside || g.spooled ELSE g.set_aside END,
      logins = CASE WHEN g.claim = $2 AND $12 <> 'leave'
        THEN nullif(g.logins[coalesce(g.logins_seen, 0) + 1:], '{}') ELSE g.logins END,
      logins_seen = CASE WHEN g.claim = $2 THEN NULL ELSE g.logins_seen END"
    };
}

/// Locks the row and decides. The argument is the decision.
macro_rules! judge {
    ($decision:literal) => {
        concat!(
            "WITH old AS MATERIALIZED (
  SELECT * FROM restream_oauth.grants WHERE name = $1 FOR UPDATE
), judged AS MATERIALIZED (
  SELECT old.*, ",
            $decision,
            " AS outcome FROM old
)"
        )
    };
}

/// The row that a statement returns after a decision. The argument is the outcome where there is no row.
macro_rules! answer {
    ($without_row:literal) => {
        concat!(
            "
SELECT coalesce(j.outcome, ",
            $without_row,
            ") AS outcome,
       CASE WHEN j.outcome = 'superseded' THEN j.record END AS record,
       CASE WHEN j.outcome = 'superseded' THEN j.tombstone END AS tombstone,
       CASE WHEN j.outcome = 'superseded' THEN j.parked END AS parked,
       NULL::bytea[] AS spooled, NULL::bytea[] AS logins, false AS left_over,
       ",
            when_and_where!(),
            "
FROM (VALUES (1)) AS always LEFT JOIN judged AS j ON true"
        )
    };
}

/// `Read`. `$1` is the name of the grant.
pub const READ: &str = concat!(
    "SELECT 'read' AS outcome, g.record, g.tombstone, g.parked, NULL::bytea[] AS spooled, NULL::bytea[] AS logins,
       (g.spooled IS NOT NULL OR g.logins IS NOT NULL) IS TRUE AS left_over,
       ",
    when_and_where!(),
    "
FROM (VALUES (1)) AS always LEFT JOIN restream_oauth.grants AS g ON g.name = $1"
);

/// `Claim`. `$1` is the name, `$2` the new claim, `$3` an earlier claim of the same process whose outcome it does not
/// know, or `NULL`, and `$4` the lease in milliseconds. The same claim can be taken twice, since its first answer may be lost. A row that another statement has locked counts as busy.
///
/// Nothing is claimed on a server that nobody has [noted](NOTE_SERVER), nor in the first seconds after.
pub const CLAIM: &str = concat!(
    "WITH ready AS MATERIALIZED (
  SELECT FROM restream_oauth.server WHERE started_at = pg_postmaster_start_time() AND quiet_until <= now()
), old AS MATERIALIZED (
  SELECT name FROM restream_oauth.grants
  WHERE name = $1 AND (claim IS NULL OR claimed_until <= now() OR claim = $2 OR claim = $3)
    AND EXISTS (SELECT FROM ready)
  FOR UPDATE SKIP LOCKED
), taken AS (
  UPDATE restream_oauth.grants AS g
  SET claim = $2, claimed_until = now() + $4::bigint * interval '1 millisecond',
      parked_seen = cardinality(g.parked), logins_seen = cardinality(g.logins)
  FROM old WHERE g.name = old.name
  RETURNING g.record, g.tombstone, g.parked, g.spooled, g.logins
), made AS (
  INSERT INTO restream_oauth.grants AS g (name, claim, claimed_until)
  SELECT $1, $2, now() + $4::bigint * interval '1 millisecond'
  WHERE EXISTS (SELECT FROM ready) AND NOT EXISTS (SELECT FROM restream_oauth.grants WHERE name = $1)
  ON CONFLICT (name) DO NOTHING
  RETURNING g.record, g.tombstone, g.parked, g.spooled, g.logins
), claimed AS (
  SELECT 'claimed' AS outcome, * FROM taken UNION ALL SELECT 'claimed', * FROM made
)
SELECT coalesce(c.outcome, CASE WHEN EXISTS (SELECT FROM ready) THEN 'busy' ELSE 'quiet' END) AS outcome,
       c.record, c.tombstone, c.parked, c.spooled, c.logins, false AS left_over,
       ",
    when_and_where!(),
    "
FROM (VALUES (1)) AS always LEFT JOIN claimed AS c ON true"
);

/// `Prepare`. `$1` is the name, `$2` the claim, `$3` to `$11` are the record and what is known of it: the record, its
/// login, generation and requests, then until when it is usable, when it is due, since when it is in doubt, when it died,
/// and how many strays are in it (`NULL` for none).
pub const PREPARE: &str = concat!(
    judge!(
        "CASE WHEN claim IS DISTINCT FROM $2 THEN 'lost'
    WHEN record IS NULL OR login <> $4 OR generation <> $5 THEN 'superseded' ELSE 'done' END"
    ),
    ", written AS (
  UPDATE restream_oauth.grants AS g
  SET ",
    set_record!(),
    ",
      parked = nullif(g.parked[coalesce(g.parked_seen, 0) + 1:], '{}'), parked_seen = NULL
  FROM judged AS j WHERE g.name = j.name AND j.outcome = 'done'
)",
    answer!("'lost'")
);

/// `Spool`. `$1` is the name, `$2` the claim, `$3` the answer.
pub const SPOOL: &str = concat!(
    judge!("CASE WHEN claim IS DISTINCT FROM $2 THEN 'lost' ELSE 'done' END"),
    ", written AS (
  UPDATE restream_oauth.grants AS g SET spooled = array_append(g.spooled, $3)
  FROM judged AS j WHERE g.name = j.name AND j.outcome = 'done' AND ($3 = ANY (g.spooled)) IS NOT TRUE
)",
    answer!("'lost'")
);

/// `Commit`. `$1` to `$11` are those of [`PREPARE`], `$12` is the login and `$13` the generation of the parent. The parent
/// decides. The claim says only which strays the writer knows.
pub const COMMIT: &str = concat!(
    judge!("CASE WHEN record IS NULL OR login <> $12 OR generation <> $13 THEN 'superseded' ELSE 'done' END"),
    ", written AS (
  UPDATE restream_oauth.grants AS g
  SET ",
    set_record!(),
    ",
      parked = CASE WHEN g.claim = $2 THEN nullif(g.parked[coalesce(g.parked_seen, 0) + 1:], '{}') ELSE g.parked END,
      parked_seen = CASE WHEN g.claim = $2 THEN NULL ELSE g.parked_seen END
  FROM judged AS j WHERE g.name = j.name AND j.outcome = 'done'
)",
    answer!("'superseded'")
);

/// `Park`. `$1` is the name, `$2` the login of the parent, `$3` the pair.
pub const PARK: &str = concat!(
    judge!("CASE WHEN record IS NULL OR login <> $2 THEN 'superseded' ELSE 'done' END"),
    ", written AS (
  UPDATE restream_oauth.grants AS g SET parked = array_append(g.parked, $3)
  FROM judged AS j WHERE g.name = j.name AND j.outcome = 'done' AND ($3 = ANY (g.parked)) IS NOT TRUE
)",
    answer!("'superseded'")
);

/// `Stash`. `$1` is the name, `$2` the tokens of the login. The grant is due at once, so that a worker finds a login whose
/// process died.
pub const STASH: &str = concat!(
    "INSERT INTO restream_oauth.grants AS g (name, logins, run_at) VALUES ($1, ARRAY[$2], now())
ON CONFLICT (name) DO UPDATE
SET logins = CASE WHEN $2 = ANY (g.logins) THEN g.logins ELSE array_append(g.logins, $2) END,
    run_at = least(g.run_at, now())
RETURNING 'done' AS outcome, NULL::bytea AS record, NULL::bytea AS tombstone, NULL::bytea[] AS parked,
       NULL::bytea[] AS spooled, NULL::bytea[] AS logins, false AS left_over,
       ",
    when_and_where!()
);

/// `Insert`. `$1` to `$11` are those of [`PREPARE`]. Strays of an earlier login are dropped.
pub const INSERT: &str = concat!(
    judge!("CASE WHEN claim IS DISTINCT FROM $2 THEN 'lost' ELSE 'done' END"),
    ", written AS (
  UPDATE restream_oauth.grants AS g
  SET ",
    set_record!(),
    ",
      parked = CASE WHEN g.login = $4 THEN g.parked END, parked_seen = NULL
  FROM judged AS j WHERE g.name = j.name AND j.outcome = 'done'
)",
    answer!("'lost'")
);

/// `Settle`. `$1` to `$11` are those of [`PREPARE`]; `$3` to `$11` are `NULL` if there is no record. `$12` says what becomes
/// of what is left: `remove`, `aside` or `leave`.
///
/// Without the claim, the record is written only if it adds to what is known of a doubt. The writer may not know the strays
/// of the stored record then, so that record is parked with them.
pub const SETTLE: &str = concat!(
    judge!(
        "CASE WHEN $3 IS NULL THEN 'done'
    WHEN record IS NULL OR login <> $4 OR generation <> $5 THEN 'superseded'
    WHEN claim IS DISTINCT FROM $2 AND ($9 IS NULL OR $6 < requests) THEN 'lost' ELSE 'done' END"
    ),
    ", written AS (
  UPDATE restream_oauth.grants AS g
  SET ",
    set_record!(),
    ",
      parked = CASE WHEN g.claim = $2 THEN nullif(g.parked[coalesce(g.parked_seen, 0) + 1:], '{}')
        WHEN g.strays IS NOT NULL
        THEN array_append(g.parked, 'replaced '::bytea || g.record) ELSE g.parked END,
      parked_seen = CASE WHEN g.claim = $2 THEN NULL ELSE g.parked_seen END,
      ",
    release!(),
    "
  FROM judged AS j WHERE g.name = j.name AND j.outcome = 'done' AND $3 IS NOT NULL
), released AS (
  UPDATE restream_oauth.grants AS g
  SET ",
    release!(),
    "
  FROM judged AS j
  WHERE g.name = j.name AND g.claim = $2 AND (j.outcome = 'superseded' OR (j.outcome = 'done' AND $3 IS NULL))
)",
    answer!("CASE WHEN $3 IS NULL THEN 'done' ELSE 'superseded' END")
);

/// `Forget`. `$1` is the name, `$2` the claim, `$3` the tombstone, `$4` its login and `$5` its generation. A login that was
/// stashed since the claim stays, and is due at once.
pub const FORGET: &str = concat!(
    judge!("CASE WHEN claim IS DISTINCT FROM $2 THEN 'lost' ELSE 'done' END"),
    ", written AS (
  UPDATE restream_oauth.grants AS g
  SET record = NULL, tombstone = $3, login = $4, generation = $5, requests = NULL, usable_until = NULL,
      doubt_since = NULL, died_at = NULL, strays = NULL, parked = NULL, parked_seen = NULL, spooled = NULL, set_aside = NULL,
      logins = nullif(g.logins[coalesce(g.logins_seen, 0) + 1:], '{}'), logins_seen = NULL,
      run_at = CASE WHEN cardinality(g.logins) > coalesce(g.logins_seen, 0) THEN now() END,
      claim = NULL, claimed_until = NULL
  FROM judged AS j WHERE g.name = j.name AND j.outcome = 'done'
)",
    answer!("'lost'")
);

/// Notes which server this is. A server that has just been started or promoted may lack the newest claims and doubts: the
/// workers get `$1` milliseconds to bring them back, and nobody claims anything in the meantime.
///
/// Returns a row if the server was not known.
pub const NOTE_SERVER: &str = "UPDATE restream_oauth.server
SET started_at = pg_postmaster_start_time(), quiet_until = now() + $1::bigint * interval '1 millisecond'
WHERE started_at <> pg_postmaster_start_time()
RETURNING (extract(epoch FROM started_at) * 1000000)::bigint AS server";

/// Writes records again that this server may have lost, any number of them: a busy worker has thousands, and they should be
/// there before others claim grants. `$1` to `$11` are those of [`PREPARE`], each an array with one element
/// a record, and `$12` is the lease in milliseconds. No name may be there twice. Changes nothing where the server has
/// something newer. The claim, if there is one, comes back if nobody else has the grant and nobody has prepared a request
/// since.
///
/// Returns no row.
pub const RESTORE: &str = concat!(
    "INSERT INTO restream_oauth.grants AS g
  (name, claim, claimed_until, record, login, generation, requests, usable_until, run_at, doubt_since, died_at, strays)
SELECT name, claim, CASE WHEN claim IS NOT NULL THEN now() + $12::bigint * interval '1 millisecond' END,
  record, login, generation, requests, ",
    time_of!("usable_until"),
    ", ",
    time_of!("run_at"),
    ",
  ",
    time_of!("doubt_since"),
    ", ",
    time_of!("died_at"),
    ", strays
FROM unnest($1::text[], $2::bigint[], $3::bytea[], $4::bytea[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[],
    $9::bigint[], $10::bigint[], $11::bigint[])
  AS lost (name, claim, record, login, generation, requests, usable_until, run_at, doubt_since, died_at, strays)
ORDER BY name -- in the same order as others, or two workers could wait for each other for ever
ON CONFLICT (name) DO UPDATE
SET record = excluded.record, tombstone = NULL, login = excluded.login, generation = excluded.generation,
    requests = excluded.requests, usable_until = excluded.usable_until, run_at = excluded.run_at,
    doubt_since = excluded.doubt_since, died_at = excluded.died_at, strays = excluded.strays,
    claim = CASE WHEN g.claim IS NULL OR g.claimed_until <= now() THEN excluded.claim ELSE g.claim END,
    claimed_until = CASE WHEN g.claim IS NULL OR g.claimed_until <= now() THEN excluded.claimed_until
      ELSE g.claimed_until END
WHERE g.generation IS NULL OR g.generation < excluded.generation
  OR (g.login = excluded.login AND g.generation = excluded.generation AND g.requests <= excluded.requests)"
);

/// Writes a tombstone again that this server may have lost: `$1` is the name, `$2` the tombstone, `$3` its login and `$4` its
/// generation. Changes nothing if the server has a later pair or another login. A login that waits stays, and is due at once.
///
/// Returns no row.
pub const RESTORE_TOMBSTONE: &str = "INSERT INTO restream_oauth.grants AS g (name, tombstone, login, generation)
VALUES ($1, $2, $3, $4)
ON CONFLICT (name) DO UPDATE
SET record = NULL, tombstone = $2, login = $3, generation = $4, requests = NULL, usable_until = NULL,
    doubt_since = NULL, died_at = NULL, strays = NULL, parked = NULL, parked_seen = NULL, spooled = NULL, set_aside = NULL,
    logins_seen = NULL, run_at = CASE WHEN g.logins IS NOT NULL THEN now() END, claim = NULL, claimed_until = NULL
WHERE g.generation IS NULL OR (g.login = $3 AND g.generation <= $4)";

/// What a failure of this server can lose, and its clock.
pub const SERVER: &str = concat!(
    "SELECT pg_is_in_recovery() AS standby, current_setting('fsync') = 'on' AS fsync,
       current_setting('full_page_writes') = 'on' AS full_page_writes,
       current_setting('synchronous_commit') AS synchronous_commit,
       current_setting('synchronous_standby_names') <> '' AS synchronous_standbys,
       current_setting('transaction_read_only') = 'on' AS read_only,
       current_setting('server_version_num')::bigint AS version,
       ",
    when_and_where!()
);

/// Only the database's clock.
pub const CLOCK: &str = concat!("SELECT ", when_and_where!());

/// Picks grants that were due `$1` milliseconds ago and that nobody has picked: no more than `$2`, for `$3` milliseconds.
/// Those that wait longest come first.
pub const DUE: &str = "WITH due AS MATERIALIZED (
  SELECT name FROM restream_oauth.grants
  WHERE run_at <= now() - $1::bigint * interval '1 millisecond' AND (picked_until IS NULL OR picked_until <= now())
  ORDER BY run_at LIMIT $2 FOR UPDATE SKIP LOCKED
)
UPDATE restream_oauth.grants AS g SET picked_until = now() + $3::bigint * interval '1 millisecond'
FROM due WHERE g.name = due.name RETURNING g.name";

/// The grants, for an administrator: no column with a token. `$1` is the last name of the page before, or an empty text;
/// `$2` is the length of a page. Times are microseconds since 1970.
pub const LIST: &str = concat!(
    "SELECT name, generation, record IS NOT NULL AS logged_in, tombstone IS NOT NULL AS logged_out,
       ",
    microseconds!("usable_until"),
    ", ",
    microseconds!("run_at"),
    ",
       ",
    microseconds!("doubt_since"),
    ", ",
    microseconds!("died_at"),
    ",
       (claimed_until > now()) IS TRUE AS claimed, set_aside IS NOT NULL AS set_aside
FROM restream_oauth.grants WHERE name > $1 ORDER BY name LIMIT $2"
);

/// The documents of the grants, to seal them again. The parameters are those of [`LIST`].
pub const DOCUMENTS: &str = "SELECT name, record, parked, spooled, set_aside, logins
FROM restream_oauth.grants WHERE name > $1 ORDER BY name LIMIT $2";

/// Replaces one document wherever a grant holds it. `$1` is the name, `$2` the document, `$3` the same document under
/// another key. Returns a row, unless somebody else has replaced it.
pub const RESEAL: &str = "UPDATE restream_oauth.grants
SET record = CASE WHEN record = $2 THEN $3 ELSE record END, parked = array_replace(parked, $2, $3),
    spooled = array_replace(spooled, $2, $3), set_aside = array_replace(set_aside, $2, $3),
    logins = array_replace(logins, $2, $3)
WHERE name = $1 AND (record = $2 OR $2 = ANY (parked) OR $2 = ANY (spooled) OR $2 = ANY (set_aside) OR $2 = ANY (logins))
RETURNING name";
