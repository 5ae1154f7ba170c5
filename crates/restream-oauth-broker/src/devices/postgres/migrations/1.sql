-- One row is one device: one login with its code, and its handle from then on. It holds hashes, and no secret.
CREATE TABLE restream_oauth.broker_devices (
  id text COLLATE "C" PRIMARY KEY,
  -- Counts the changes. A device is replaced only if it has the number that the writer read.
  revision bigint NOT NULL,
  -- The SHA-256 of the access token that the device was given last.
  given bytea,
  -- When somebody has to look at the device, although nobody asks for it.
  due_at timestamptz NOT NULL,
  document text NOT NULL
) WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.05);

CREATE INDEX broker_devices_given ON restream_oauth.broker_devices (given) WHERE given IS NOT NULL;
CREATE INDEX broker_devices_due ON restream_oauth.broker_devices (due_at);

-- Logins whose browser has not come back from Restream.
CREATE TABLE restream_oauth.broker_logins (
  -- The SHA-256 of the state at Restream, and that of the cookie of the browser.
  state bytea PRIMARY KEY,
  browser bytea NOT NULL,
  began_at timestamptz NOT NULL,
  -- The rest of the login, sealed under the cookie of the browser.
  sealed bytea NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.05);

CREATE INDEX broker_logins_browser ON restream_oauth.broker_logins (browser);
CREATE INDEX broker_logins_began ON restream_oauth.broker_logins (began_at);
