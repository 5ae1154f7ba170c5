//! The statements. Each is executed by itself, unnamed, and commits at once: a lost connection leaves nothing half done, and
//! a pooler in transaction mode is no obstacle. A time goes in and out as microseconds since 1970.

/// `$1` the identifier.
pub(super) const READ: &str = "SELECT document FROM restream_oauth.broker_devices WHERE id = $1";

/// `$1` the identifier, `$2` the revision, `$3` the hash of the access token, `$4` when it is due, `$5` the document. A
/// second execution does nothing.
pub(super) const INSERT: &str = "INSERT INTO restream_oauth.broker_devices (id, revision, given, due_at, document)
VALUES ($1, $2, $3, timestamptz 'epoch' + $4 * interval '1 microsecond', $5)
ON CONFLICT (id) DO NOTHING";

/// `$1` the identifier, `$2` the revision that the writer read; the rest as for [`INSERT`]. Returns a row if it was done.
pub(super) const REPLACE: &str = "UPDATE restream_oauth.broker_devices
SET revision = revision + 1, given = $3, due_at = timestamptz 'epoch' + $4 * interval '1 microsecond', document = $5
WHERE id = $1 AND revision = $2 RETURNING true AS done";

/// `$1` the identifier.
pub(super) const REMOVE: &str = "DELETE FROM restream_oauth.broker_devices WHERE id = $1";

/// `$1` the identifier after which the page begins, `$2` how many at most.
pub(super) const LIST: &str =
    "SELECT id, document FROM restream_oauth.broker_devices WHERE id > $1 ORDER BY id LIMIT $2";

/// `$1` the hash of the access token.
pub(super) const FIND: &str = "SELECT id, document FROM restream_oauth.broker_devices WHERE given = $1 LIMIT 1";

/// `$1` the time, `$2` how many at most.
pub(super) const DUE: &str = "SELECT id, document FROM restream_oauth.broker_devices
WHERE due_at <= timestamptz 'epoch' + $1 * interval '1 microsecond' ORDER BY due_at LIMIT $2";

/// `$1` the hash of the state, `$2` that of the cookie, `$3` when it began, `$4` the sealed login. A second execution does
/// nothing.
pub(super) const INSERT_LOGIN: &str = "INSERT INTO restream_oauth.broker_logins (state, browser, began_at, sealed)
VALUES ($1, $2, timestamptz 'epoch' + $3 * interval '1 microsecond', $4)
ON CONFLICT (state) DO NOTHING";

/// `$1` the hash of the state, `$2` that of the cookie, `$3` when a login began that is too old by now. A login is taken
/// once: of two executions at the same time, one returns a row.
pub(super) const TAKE_LOGIN: &str = "DELETE FROM restream_oauth.broker_logins
WHERE state = $1 AND browser = $2 AND began_at > timestamptz 'epoch' + $3 * interval '1 microsecond'
RETURNING (extract(epoch FROM began_at) * 1000000)::bigint AS began_at, sealed";

/// `$1` the hash of the cookie, `$2` when a login began that is too old by now, `$3` how many at most.
pub(super) const LOGINS_OF_BROWSER: &str =
    "SELECT state, (extract(epoch FROM began_at) * 1000000)::bigint AS began_at, sealed
FROM restream_oauth.broker_logins
WHERE browser = $1 AND began_at > timestamptz 'epoch' + $2 * interval '1 microsecond'
ORDER BY began_at DESC LIMIT $3";

/// Removes logins that are too old, and the oldest of those that are too many. `$1` when a login began that is too old by
/// now, `$2` how many may stay. Returns how many there were. What another instance removes is left to it.
pub(super) const EXPIRE_LOGINS: &str = "WITH gone AS (
  SELECT state FROM restream_oauth.broker_logins
  WHERE began_at <= timestamptz 'epoch' + $1 * interval '1 microsecond'
    OR began_at < (SELECT began_at FROM restream_oauth.broker_logins ORDER BY began_at DESC OFFSET $2 - 1 LIMIT 1)
  FOR UPDATE SKIP LOCKED
), removed AS (
  DELETE FROM restream_oauth.broker_logins USING gone WHERE broker_logins.state = gone.state RETURNING 1
)
SELECT (SELECT count(*) FROM restream_oauth.broker_logins) - (SELECT count(*) FROM removed) AS waiting";
