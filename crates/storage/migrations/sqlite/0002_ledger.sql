-- The ledger: hash-chained entries that are appended and never changed, and what is derived from them for queries.
--
-- Append-only by the database itself: chains, ledger and scores refuse every UPDATE and DELETE, and every INSERT that
-- would replace a row (INSERT OR REPLACE deletes without firing delete triggers). ledger_horizons and ledger_latest are
-- indexes: they change, and could be rebuilt from the ledger.

CREATE TABLE chains (
    chain_id INTEGER PRIMARY KEY,
    chain    TEXT NOT NULL,                 -- live, replay/RUN or simulated/RUN; part of every hash
    CONSTRAINT chains_chain UNIQUE (chain)
) STRICT;

CREATE TABLE ledger (
    entry_id     INTEGER PRIMARY KEY,       -- order of writing over all chains
    chain_id     INTEGER NOT NULL REFERENCES chains (chain_id),
    seq          INTEGER NOT NULL,          -- position in its chain, from 0 without holes
    prev         BLOB NOT NULL,             -- hash of the entry before, 32 bytes; zeros for the first
    hash         BLOB NOT NULL,             -- hash of this entry, 32 bytes
    kind         TEXT NOT NULL,             -- forecast, outcome, void, missed, schedule, model, checkpoint
    recorded_at  INTEGER NOT NULL,          -- never decreases along a chain
    symbol       TEXT,                      -- the asset, of entries about one
    timeframe    TEXT,                      -- its timeframe
    as_of        INTEGER,                   -- of a forecast: the information cut
    forecast_seq INTEGER,                   -- of an outcome or void: the forecast it closes ...
    horizon      INTEGER,                   -- ... and at which horizon
    body         TEXT NOT NULL,             -- one JSON object, byte for byte; last, so that reads of the columns
                                            -- before it do not touch its overflow pages
    CONSTRAINT ledger_seq UNIQUE (chain_id, seq),
    CONSTRAINT ledger_hash UNIQUE (hash)    -- also finds an entry by the first digits of its hash
) STRICT;

-- One outcome or void a horizon, whoever writes it; also finds the outcomes of a forecast.
CREATE UNIQUE INDEX ledger_resolution ON ledger (chain_id, forecast_seq, horizon) WHERE forecast_seq IS NOT NULL;

-- The entries of one kind in order, among millions of others: the few misses, schedules, checkpoints.
CREATE INDEX ledger_kind ON ledger (chain_id, kind, seq);

-- The entries about one asset in order.
CREATE INDEX ledger_symbol ON ledger (chain_id, symbol, seq) WHERE symbol IS NOT NULL;

-- The forecast that was current at an instant: walked back from the newest, looking at as_of.
CREATE INDEX ledger_forecast ON ledger (chain_id, symbol, timeframe, seq, as_of) WHERE kind = 'forecast';

CREATE TRIGGER ledger_no_update BEFORE UPDATE ON ledger
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only: entries are never changed');
END;

CREATE TRIGGER ledger_no_delete BEFORE DELETE ON ledger
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only: entries are never deleted');
END;

-- Also keeps a chain without holes.
CREATE TRIGGER ledger_follow BEFORE INSERT ON ledger
WHEN NEW.seq <> coalesce((SELECT max(seq) + 1 FROM ledger WHERE chain_id = NEW.chain_id), 0)
    OR EXISTS (SELECT 1 FROM ledger WHERE hash = NEW.hash)
    OR EXISTS (SELECT 1 FROM ledger WHERE entry_id = NEW.entry_id)
    OR (NEW.forecast_seq IS NOT NULL AND EXISTS (
        SELECT 1 FROM ledger
        WHERE chain_id = NEW.chain_id AND forecast_seq = NEW.forecast_seq AND horizon = NEW.horizon
    ))
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only: an entry follows the head of its chain and replaces none');
END;

-- A renamed chain would turn a replay into the live record.
CREATE TRIGGER chains_no_update BEFORE UPDATE ON chains
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only: chains are never renamed');
END;

CREATE TRIGGER chains_no_replace BEFORE INSERT ON chains
WHEN EXISTS (SELECT 1 FROM chains WHERE chain_id = NEW.chain_id)
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only: chains are never replaced');
END;

CREATE TRIGGER chains_no_delete BEFORE DELETE ON chains
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only: chains are never deleted');
END;

-- Every horizon of every forecast, and what closed it.
CREATE TABLE ledger_horizons (
    chain_id     INTEGER NOT NULL REFERENCES chains (chain_id),
    forecast_seq INTEGER NOT NULL,
    horizon      INTEGER NOT NULL,          -- bars ahead, from 1
    target_time  INTEGER NOT NULL,          -- when it matures
    outcome_seq  INTEGER,                   -- seq of its outcome or void; null while it has none
    PRIMARY KEY (chain_id, forecast_seq, horizon)
) STRICT, WITHOUT ROWID;

-- What is due next, without walking over what was resolved long ago.
CREATE INDEX ledger_due ON ledger_horizons (chain_id, target_time) WHERE outcome_seq IS NULL;

-- A horizon is closed once.
CREATE TRIGGER ledger_horizons_once BEFORE UPDATE ON ledger_horizons
WHEN OLD.outcome_seq IS NOT NULL OR NEW.target_time <> OLD.target_time
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only: a horizon is closed once');
END;

-- The newest forecast of every asset and timeframe.
CREATE TABLE ledger_latest (
    chain_id  INTEGER NOT NULL REFERENCES chains (chain_id),
    symbol    TEXT NOT NULL,
    timeframe TEXT NOT NULL,
    seq       INTEGER NOT NULL,
    PRIMARY KEY (chain_id, symbol, timeframe)
) STRICT, WITHOUT ROWID;

-- The numbers of each outcome in columns, with what track records group them by. Changes and interval ends are in the
-- forecast's unit (log return, log growth or change), prices in the quote currency, truths 0 or 1. Rows lie in the order
-- of the key, so that a track record (an asset's timeframe at one horizon, the last so many by as_of) is one walk.
CREATE TABLE scores (
    chain_id        INTEGER NOT NULL REFERENCES chains (chain_id),
    seq             INTEGER NOT NULL,       -- of the outcome
    forecast_seq    INTEGER NOT NULL,
    symbol          TEXT NOT NULL,
    timeframe       TEXT NOT NULL,
    horizon         INTEGER NOT NULL,
    as_of           INTEGER NOT NULL,       -- the forecast's information cut
    issued_at       INTEGER NOT NULL,       -- when the forecast was recorded
    target_time     INTEGER NOT NULL,
    price           REAL NOT NULL,          -- what it was judged by
    reference_price REAL NOT NULL,
    change          REAL NOT NULL,
    median          REAL NOT NULL,
    low_80          REAL NOT NULL,
    high_80         REAL NOT NULL,
    prob_up         REAL NOT NULL,
    crps            REAL NOT NULL,
    crps_baseline   REAL NOT NULL,
    pinball         REAL NOT NULL,
    brier           REAL,                   -- null when the price did not change
    brier_baseline  REAL,
    covered_80      INTEGER NOT NULL,
    covered_95      INTEGER NOT NULL,
    direction       TEXT NOT NULL,          -- UP, DOWN, HOLD
    hit             INTEGER,                -- null for HOLD and for no change
    baseline_hit    INTEGER,
    PRIMARY KEY (chain_id, symbol, timeframe, horizon, as_of, seq),
    CONSTRAINT scores_seq UNIQUE (chain_id, seq)    -- one an outcome; also finds what was scored since
) STRICT, WITHOUT ROWID;

CREATE TRIGGER scores_no_update BEFORE UPDATE ON scores
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only: scores are never changed');
END;

CREATE TRIGGER scores_no_delete BEFORE DELETE ON scores
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only: scores are never deleted');
END;

CREATE TRIGGER scores_no_replace BEFORE INSERT ON scores
WHEN EXISTS (SELECT 1 FROM scores WHERE chain_id = NEW.chain_id AND seq = NEW.seq)
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only: scores are never replaced');
END;

-- For people at a prompt: SELECT * FROM predictions ORDER BY timestamp DESC LIMIT 10. Live, replayed and simulated
-- forecasts are told apart by origin. Instants are RFC 3339 in UTC with microseconds, so that they sort as text.
CREATE VIEW predictions AS
SELECT
    strftime('%Y-%m-%dT%H:%M:%S', ledger.recorded_at / 1000000, 'unixepoch')
        || printf('.%06dZ', ledger.recorded_at % 1000000) AS timestamp,
    CASE instr(chains.chain, '/') WHEN 0 THEN chains.chain
        ELSE substr(chains.chain, 1, instr(chains.chain, '/') - 1) END AS origin,
    chains.chain AS chain,
    ledger.seq AS seq,
    lower(substr(hex(ledger.hash), 1, 16)) AS id,
    ledger.symbol AS symbol,
    ledger.timeframe AS timeframe,
    strftime('%Y-%m-%dT%H:%M:%S', ledger.as_of / 1000000, 'unixepoch')
        || printf('.%06dZ', ledger.as_of % 1000000) AS as_of,
    ledger.body AS body
FROM ledger
JOIN chains ON chains.chain_id = ledger.chain_id
WHERE ledger.kind = 'forecast';
