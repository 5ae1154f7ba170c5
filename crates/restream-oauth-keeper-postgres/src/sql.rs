//! The texts of all statements, for stores on other clients and for database administrators.
//!
//! Each operation of a keeper is one statement that commits by itself. No statement needs a session, so a pooler may run
//! each on another connection. A statement whose connection broke has happened wholly or not at all.
//!
//! The statement of an operation takes the same operation of any number of grants: each parameter is an array with one
//! element a grant, and no grant may be there twice. What happens to one does not depend on the others. A busy store sends
//! many at once, because planning and committing take the database longer than writing a row.
//!
//! Elements are `text`, `bytea` and `bigint`; times are microseconds since 1970 on the database's clock.
//! [`Statement`](crate::Statement) gives them in order. Each statement returns one row a grant, in the order of the arrays,
//! with the columns of [`Columns`](crate::Columns), whatever happened.
//!
//! A statement first locks the rows, which gives their newest versions (`old`), then decides (`judged`), then writes. A row
//! holds everything that belongs to the grant, so no two tables can disagree.

/// The columns in which a statement says when it ran and on which server.
macro_rules! when_and_where {
    () => {
        "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now,
       (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint AS server"
    };
}

/// A number of microseconds since 1970, as a time.
macro_rules! time {
    ($number:literal) => {
        concat!("timestamptz 'epoch' + ", $number, " * interval '1 microsecond'")
    };
}

/// A column with a time, as a number under the same name.
macro_rules! microseconds {
    ($column:literal) => {
        concat!("(extract(epoch FROM ", $column, ") * 1000000)::bigint AS ", $column)
    };
}

/// The parameters as rows (`given`): the arrays, and the names of their elements.
macro_rules! given {
    ($arrays:expr, $names:expr) => {
        concat!(
            "WITH given AS MATERIALIZED (
  SELECT * FROM unnest(",
            $arrays,
            ") WITH ORDINALITY
  AS given (",
            $names,
            ", place)
)"
        )
    };
}

/// The parameters of a statement that writes a record, and those that follow them.
macro_rules! given_record {
    () => {
        given_record!("", "")
    };
    ($arrays:literal, $names:literal) => {
        given!(
            concat!(
                "$1::text[], $2::bigint[], $3::bytea[], $4::bytea[], $5::bigint[], $6::bigint[], $7::bigint[],
    $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[]",
                $arrays
            ),
            concat!(
                "name, by_claim, new_record, new_login, new_generation, new_requests, new_usable_until,
    new_run_at, new_doubt_since, new_died_at, new_strays",
                $names
            )
        )
    };
}

/// What every statement that writes a record sets. The holder of the claim knows of the strays that were there when it
/// claimed the grant; later ones stay.
macro_rules! set_record {
    () => {
        concat!(
            "record = j.new_record, tombstone = NULL, login = j.new_login, generation = j.new_generation,
      requests = j.new_requests, usable_until = ",
            time!("j.new_usable_until"),
            ",
      run_at = ",
            time!("j.new_run_at"),
            ", doubt_since = ",
            time!("j.new_doubt_since"),
            ",
      died_at = ",
            time!("j.new_died_at"),
            ", strays = j.new_strays"
        )
    };
}

/// Releases the claim, and deals with what is left.
macro_rules! release {
    () => {
        "claim = CASE WHEN g.claim = j.by_claim THEN NULL ELSE g.claim END,
      claimed_until = CASE WHEN g.claim = j.by_claim THEN NULL ELSE g.claimed_until END,
      spooled = CASE WHEN g.claim = j.by_claim AND j.leftovers <> 'leave' THEN NULL ELSE g.spooled END,
      set_aside = CASE WHEN g.claim = j.by_claim AND j.leftovers = 'remove' THEN NULL
        WHEN g.claim = j.by_claim AND j.leftovers = 'aside' THEN g.set_aside || g.spooled ELSE g.set_aside END,
      logins = CASE WHEN g.claim = j.by_claim AND j.leftovers <> 'leave'
        THEN nullif(g.logins[coalesce(g.logins_seen, 0) + 1:], '{}') ELSE g.logins END,
      logins_seen = CASE WHEN g.claim = j.by_claim THEN NULL ELSE g.logins_seen END"
    };
}

/// Locks the rows and decides. The argument is the decision. All statements lock rows in the order of the names, or two of
/// them could wait for each other for ever.
macro_rules! judge {
    ($decision:literal) => {
        concat!(
            ", old AS MATERIALIZED (
  SELECT given.*, g.claim, g.record, g.tombstone, g.parked, g.login, g.generation, g.requests
  FROM given JOIN restream_oauth.grants AS g ON g.name = given.name
  ORDER BY g.name FOR UPDATE OF g
), judged AS MATERIALIZED (
  SELECT old.*, ",
            $decision,
            " AS outcome FROM old
)"
        )
    };
}

/// The rows that a statement returns after a decision. The argument is the outcome where there was no row.
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
FROM given LEFT JOIN judged AS j ON j.place = given.place ORDER BY given.place"
        )
    };
}

/// `Read`. `$1` is the name of the grant.
pub const READ: &str = concat!(
    given!("$1::text[]", "name"),
    "
SELECT 'read' AS outcome, g.record, g.tombstone, g.parked, NULL::bytea[] AS spooled, NULL::bytea[] AS logins,
       (g.spooled IS NOT NULL OR g.logins IS NOT NULL) IS TRUE AS left_over,
       ",
    when_and_where!(),
    "
FROM given LEFT JOIN restream_oauth.grants AS g ON g.name = given.name ORDER BY given.place"
);

/// `Claim`. `$1` is the name, `$2` the new claim, and `$3` the lease in milliseconds. The same claim can be taken twice,
/// since its first answer may be lost. A row that another statement has locked counts as busy.
///
/// Nothing is claimed on a server that nobody has [noted](NOTE_SERVER), nor in the first seconds after.
pub const CLAIM: &str = concat!(
    given!("$1::text[], $2::bigint[], $3::bigint[]", "name, by_claim, lease"),
    ", ready AS MATERIALIZED (
  SELECT FROM restream_oauth.server WHERE started_at = pg_postmaster_start_time() AND quiet_until <= now()
), old AS MATERIALIZED (
  SELECT given.* FROM given JOIN restream_oauth.grants AS g ON g.name = given.name
  WHERE (g.claim IS NULL OR g.claimed_until <= now() OR g.claim = given.by_claim)
    AND EXISTS (SELECT FROM ready)
  ORDER BY g.name FOR UPDATE OF g SKIP LOCKED
), taken AS (
  UPDATE restream_oauth.grants AS g
  SET claim = old.by_claim, claimed_until = now() + old.lease * interval '1 millisecond',
      parked_seen = cardinality(g.parked), logins_seen = cardinality(g.logins)
  FROM old WHERE g.name = old.name
  RETURNING g.name, g.record, g.tombstone, g.parked, g.spooled, g.logins
), made AS (
  INSERT INTO restream_oauth.grants AS g (name, claim, claimed_until)
  SELECT given.name, given.by_claim, now() + given.lease * interval '1 millisecond' FROM given
  WHERE EXISTS (SELECT FROM ready) AND NOT EXISTS (SELECT FROM restream_oauth.grants AS g WHERE g.name = given.name)
  ORDER BY given.name COLLATE \"C\"
  ON CONFLICT (name) DO NOTHING
  RETURNING g.name, g.record, g.tombstone, g.parked, g.spooled, g.logins
), claimed AS (
  -- What is made waits for others who make the same, so it comes before rows are locked.
  SELECT 'claimed' AS outcome, * FROM made UNION ALL SELECT 'claimed', * FROM taken
)
SELECT coalesce(c.outcome, CASE WHEN EXISTS (SELECT FROM ready) THEN 'busy' ELSE 'quiet' END) AS outcome,
       c.record, c.tombstone, c.parked, c.spooled, c.logins, false AS left_over,
       ",
    when_and_where!(),
    "
FROM given LEFT JOIN claimed AS c ON c.name = given.name ORDER BY given.place"
);

/// `Prepare`. `$1` is the name, `$2` the claim, `$3` to `$11` are the record and what is known of it: the record, its
/// login, generation and requests, then until when it is usable, when it is due, since when it is in doubt, when it died,
/// and how many strays are in it (`NULL` for none).
pub const PREPARE: &str = concat!(
    given_record!(),
    judge!(
        "CASE WHEN claim IS DISTINCT FROM by_claim THEN 'lost'
    WHEN record IS NULL OR login <> new_login OR generation <> new_generation THEN 'superseded' ELSE 'done' END"
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
    given!("$1::text[], $2::bigint[], $3::bytea[]", "name, by_claim, answer"),
    judge!("CASE WHEN claim IS DISTINCT FROM by_claim THEN 'lost' ELSE 'done' END"),
    ", written AS (
  UPDATE restream_oauth.grants AS g SET spooled = array_append(g.spooled, j.answer)
  FROM judged AS j WHERE g.name = j.name AND j.outcome = 'done' AND (j.answer = ANY (g.spooled)) IS NOT TRUE
)",
    answer!("'lost'")
);

/// `Commit`. `$1` to `$11` are those of [`PREPARE`], `$12` is the login and `$13` the generation of the parent. The parent
/// decides. The claim says only which strays the writer knows, and that it has read the answers: they go at once, because with
/// them the row often has no room in its page. A keeper would remove them next, by [`SETTLE`]. `picked_until` is cleared,
/// because the grant is not due any more.
pub const COMMIT: &str = concat!(
    given_record!(", $12::bytea[], $13::bigint[]", ", parent_login, parent_generation"),
    judge!(
        "CASE WHEN record IS NULL OR login <> parent_login OR generation <> parent_generation THEN 'superseded'
    ELSE 'done' END"
    ),
    ", written AS (
  UPDATE restream_oauth.grants AS g
  SET ",
    set_record!(),
    ",
      parked = CASE WHEN g.claim = j.by_claim THEN nullif(g.parked[coalesce(g.parked_seen, 0) + 1:], '{}')
        ELSE g.parked END,
      parked_seen = CASE WHEN g.claim = j.by_claim THEN NULL ELSE g.parked_seen END,
      spooled = CASE WHEN g.claim = j.by_claim THEN NULL ELSE g.spooled END, picked_until = NULL
  FROM judged AS j WHERE g.name = j.name AND j.outcome = 'done'
)",
    answer!("'superseded'")
);

/// `Park`. `$1` is the name, `$2` the login of the parent, `$3` the pair.
pub const PARK: &str = concat!(
    given!("$1::text[], $2::bytea[], $3::bytea[]", "name, parent_login, pair"),
    judge!("CASE WHEN record IS NULL OR login <> parent_login THEN 'superseded' ELSE 'done' END"),
    ", written AS (
  UPDATE restream_oauth.grants AS g SET parked = array_append(g.parked, j.pair)
  FROM judged AS j WHERE g.name = j.name AND j.outcome = 'done' AND (j.pair = ANY (g.parked)) IS NOT TRUE
)",
    answer!("'superseded'")
);

/// `Stash`. `$1` is the name, `$2` the tokens of the login. The grant is due at once, so that a worker finds a login whose
/// process died.
pub const STASH: &str = concat!(
    given!("$1::text[], $2::bytea[]", "name, tokens"),
    ", stashed AS (
  INSERT INTO restream_oauth.grants AS g (name, logins, run_at)
  SELECT given.name, ARRAY[given.tokens], now() FROM given ORDER BY given.name COLLATE \"C\"
  ON CONFLICT (name) DO UPDATE
  SET logins = CASE WHEN excluded.logins <@ g.logins THEN g.logins ELSE g.logins || excluded.logins END,
      run_at = least(g.run_at, now())
)
SELECT 'done' AS outcome, NULL::bytea AS record, NULL::bytea AS tombstone, NULL::bytea[] AS parked,
       NULL::bytea[] AS spooled, NULL::bytea[] AS logins, false AS left_over,
       ",
    when_and_where!(),
    "
FROM given ORDER BY given.place"
);

/// `Insert`. `$1` to `$11` are those of [`PREPARE`]. Strays of an earlier login are dropped.
pub const INSERT: &str = concat!(
    given_record!(),
    judge!("CASE WHEN claim IS DISTINCT FROM by_claim THEN 'lost' ELSE 'done' END"),
    ", written AS (
  UPDATE restream_oauth.grants AS g
  SET ",
    set_record!(),
    ",
      parked = CASE WHEN g.login = j.new_login THEN g.parked END, parked_seen = NULL
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
    given_record!(", $12::text[]", ", leftovers"),
    judge!(
        "CASE WHEN new_record IS NULL THEN 'done'
    WHEN record IS NULL OR login <> new_login OR generation <> new_generation THEN 'superseded'
    WHEN claim IS DISTINCT FROM by_claim AND (new_doubt_since IS NULL OR new_requests < requests) THEN 'lost'
    ELSE 'done' END"
    ),
    ", written AS (
  UPDATE restream_oauth.grants AS g
  SET ",
    set_record!(),
    ",
      parked = CASE WHEN g.claim = j.by_claim THEN nullif(g.parked[coalesce(g.parked_seen, 0) + 1:], '{}')
        WHEN g.strays IS NOT NULL
        THEN array_append(g.parked, 'replaced '::bytea || g.record) ELSE g.parked END,
      parked_seen = CASE WHEN g.claim = j.by_claim THEN NULL ELSE g.parked_seen END,
      ",
    release!(),
    "
  FROM judged AS j WHERE g.name = j.name AND j.outcome = 'done' AND j.new_record IS NOT NULL
), released AS (
  UPDATE restream_oauth.grants AS g
  SET ",
    release!(),
    "
  FROM judged AS j
  WHERE g.name = j.name AND g.claim = j.by_claim
    AND (j.outcome = 'superseded' OR (j.outcome = 'done' AND j.new_record IS NULL))
)",
    answer!("CASE WHEN given.new_record IS NULL THEN 'done' ELSE 'superseded' END")
);

/// `Forget`. `$1` is the name, `$2` the claim, `$3` the tombstone, `$4` its login and `$5` its generation. A login that was
/// stashed since the claim stays, and is due at once.
pub const FORGET: &str = concat!(
    given!(
        "$1::text[], $2::bigint[], $3::bytea[], $4::bytea[], $5::bigint[]",
        "name, by_claim, new_tombstone, new_login, new_generation"
    ),
    judge!("CASE WHEN claim IS DISTINCT FROM by_claim THEN 'lost' ELSE 'done' END"),
    ", written AS (
  UPDATE restream_oauth.grants AS g
  SET record = NULL, tombstone = j.new_tombstone, login = j.new_login, generation = j.new_generation, requests = NULL,
      usable_until = NULL, doubt_since = NULL, died_at = NULL, strays = NULL, parked = NULL, parked_seen = NULL,
      spooled = NULL, set_aside = NULL,
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

/// Writes records again that this server may have lost: a busy worker has thousands, and they should be there before others
/// claim grants. `$1` to `$11` are those of [`PREPARE`], and `$12` is the lease in milliseconds. Changes nothing where the
/// server has something newer. The claim, if there is one, comes back if nobody else has the grant and nobody has prepared a
/// request since.
///
/// Returns no row.
pub const RESTORE: &str = concat!(
    given_record!(", $12::bigint[]", ", lease"),
    "
INSERT INTO restream_oauth.grants AS g
  (name, claim, claimed_until, record, login, generation, requests, usable_until, run_at, doubt_since, died_at, strays)
SELECT name, by_claim, CASE WHEN by_claim IS NOT NULL THEN now() + lease * interval '1 millisecond' END,
  new_record, new_login, new_generation, new_requests, ",
    time!("new_usable_until"),
    ",
  ",
    time!("new_run_at"),
    ", ",
    time!("new_doubt_since"),
    ",
  ",
    time!("new_died_at"),
    ", new_strays
FROM given ORDER BY name COLLATE \"C\"
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

/// Writes tombstones again that this server may have lost: `$1` is the name, `$2` the tombstone, `$3` its login and `$4` its
/// generation. Changes nothing if the server has a later pair or another login. A login that waits stays, and is due at once.
///
/// Returns no row.
pub const RESTORE_TOMBSTONE: &str = concat!(
    given!("$1::text[], $2::bytea[], $3::bytea[], $4::bigint[]", "name, tombstone, login, generation"),
    "
INSERT INTO restream_oauth.grants AS g (name, tombstone, login, generation)
SELECT name, tombstone, login, generation FROM given ORDER BY name COLLATE \"C\"
ON CONFLICT (name) DO UPDATE
SET record = NULL, tombstone = excluded.tombstone, login = excluded.login, generation = excluded.generation,
    requests = NULL, usable_until = NULL, doubt_since = NULL, died_at = NULL, strays = NULL, parked = NULL,
    parked_seen = NULL, spooled = NULL, set_aside = NULL, logins_seen = NULL,
    run_at = CASE WHEN g.logins IS NOT NULL THEN now() END, claim = NULL, claimed_until = NULL
WHERE g.generation IS NULL OR (g.login = excluded.login AND g.generation <= excluded.generation)"
);

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
