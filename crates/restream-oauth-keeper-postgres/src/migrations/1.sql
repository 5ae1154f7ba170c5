-- One row holds everything that belongs to one grant.
CREATE TABLE restream_oauth.grants (
  name text COLLATE "C" PRIMARY KEY,
  -- Which process has the grant, and until when if it dies.
  claim bigint,
  claimed_until timestamptz,
  -- What the record says of itself, so that no statement has to read it. `login` and `generation` name the parent of a new pair.
  generation bigint,
  requests bigint,
  usable_until timestamptz,
  doubt_since timestamptz,
  died_at timestamptz,
  -- When a worker has to look at the grant, and until when one does.
  run_at timestamptz,
  picked_until timestamptz,
  -- How many of `parked` and `logins` the holder of the claim knows.
  parked_seen integer,
  logins_seen integer,
  login bytea,
  -- The newest pair, or what is left after a logout. Secrets stand in the columns from here on.
  record bytea,
  tombstone bytea,
  -- Pairs that came too late, answers that nobody has read, those that nobody could read, logins that wait for the claim.
  parked bytea[],
  spooled bytea[],
  set_aside bytea[],
  logins bytea[]
) WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.05);

-- The only index besides that of the names: the other columns change several times a rotation, in the same page.
CREATE INDEX grants_due ON restream_oauth.grants (run_at) WHERE run_at IS NOT NULL;

-- Which server the workers know, and until when nobody claims anything.
CREATE TABLE restream_oauth.server (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  started_at timestamptz NOT NULL,
  quiet_until timestamptz NOT NULL
);

INSERT INTO restream_oauth.server (started_at, quiet_until) VALUES (pg_postmaster_start_time(), now());
