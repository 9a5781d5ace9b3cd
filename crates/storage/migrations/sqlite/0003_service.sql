-- What the service keeps for itself: models, favourites, and a row to see that reading and writing work.

CREATE TABLE models (
    model_id        TEXT PRIMARY KEY,       -- first 16 hex digits of sha256
    asset_class     TEXT NOT NULL,          -- crypto, stocks, macro
    timeframe       TEXT NOT NULL,          -- base timeframe of its bars
    name            TEXT NOT NULL,          -- ensemble, ridge, ...
    trained_at      INTEGER NOT NULL,
    trained_through INTEGER NOT NULL,       -- the latest information it was trained on
    sha256          BLOB NOT NULL,          -- of artefact, 32 bytes
    manifest        TEXT NOT NULL,          -- JSON: what went into it
    artefact        BLOB NOT NULL           -- last, so that listing models does not read their bytes
) STRICT;

CREATE TABLE favourites (
    favourite_id INTEGER PRIMARY KEY,       -- order of adding
    owner        TEXT NOT NULL,             -- an API key's name, or the shared list's
    symbol       TEXT NOT NULL,
    CONSTRAINT favourites_symbol UNIQUE (owner, symbol)
) STRICT;

CREATE TABLE heartbeat (
    heartbeat_id INTEGER PRIMARY KEY CHECK (heartbeat_id = 1),
    n_checks     INTEGER NOT NULL           -- grows by one with each check
) STRICT;
