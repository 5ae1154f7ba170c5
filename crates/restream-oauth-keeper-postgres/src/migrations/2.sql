-- How many late pairs the record holds; NULL for none. A sealed record shows it nowhere else.
ALTER TABLE restream_oauth.grants ADD COLUMN strays bigint;

UPDATE restream_oauth.grants SET strays = 1 WHERE position('"strays":['::bytea IN record) > 0;

-- Eight bytes tell the logins of one grant apart.
UPDATE restream_oauth.grants SET login = substring(login FROM 1 FOR 8) WHERE login IS NOT NULL;

-- A late pair is a document now, as everything else: its generation stood before it, and a space between them.
UPDATE restream_oauth.grants AS g
SET parked = ARRAY(
  SELECT CASE WHEN late.pair LIKE 'replaced %'::bytea THEN late.pair
    ELSE '{"version":1,"kind":"stray","generation":'::bytea
      || substring(late.pair FROM 1 FOR position(' '::bytea IN late.pair) - 1)
      || ',"tokens":'::bytea || substring(late.pair FROM position(' '::bytea IN late.pair) + 1) || '}'::bytea END
  FROM unnest(g.parked) WITH ORDINALITY AS late (pair, place) ORDER BY late.place)
WHERE parked IS NOT NULL;
