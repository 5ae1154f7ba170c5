-- Room in each page for the versions of a row that is refreshed, one of which holds the answer.
ALTER TABLE restream_oauth.grants SET (fillfactor = 80);
