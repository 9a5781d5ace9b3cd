-- What was measured: assets, bars, gaps, corporate actions, macro observations.
--
-- Conventions of all tables, the same in every dialect:
--   * an instant is an INTEGER: microseconds since 1970-01-01T00:00:00Z;
--   * a date is TEXT, YYYY-MM-DD;
--   * words (class, kind, timeframe, ...) are the canonical texts of the market crate;
--   * prices and values are raw 64-bit floats in the unit of their series;
--   * known_at is when a row could first have been known. A correction is a new row with a later known_at.

CREATE TABLE assets (
    asset_id      INTEGER PRIMARY KEY,      -- order in which assets were first put
    symbol        TEXT NOT NULL,            -- product symbol
    name          TEXT NOT NULL,            -- for people
    kind          TEXT NOT NULL,            -- coin, stable, equity, etf, index, series
    source_symbol TEXT NOT NULL,            -- the vendor's spelling
    quote         TEXT NOT NULL,            -- currency of the prices; the unit of a macro series
    CONSTRAINT assets_symbol UNIQUE (symbol)
) STRICT;

-- One row a stored series of bars. The three counts are kept by the same transaction that adds bars, so that listing
-- thousands of series does not read millions of bars.
CREATE TABLE series (
    series_id  INTEGER PRIMARY KEY,
    symbol     TEXT NOT NULL,
    timeframe  TEXT NOT NULL,
    adjustment TEXT NOT NULL,               -- how the stored prices are adjusted: raw, split, total_return
    source     TEXT NOT NULL,               -- where the bars came from
    n_bars     INTEGER NOT NULL DEFAULT 0,  -- bars, revisions not counted
    first_open INTEGER,                     -- open_time of the first bar; null while there is none
    last_open  INTEGER,                     -- open_time of the last bar; null while there is none
    CONSTRAINT series_key UNIQUE (symbol, timeframe, adjustment, source)
) STRICT;

-- Closed bars. Rows lie in the order of the key, which is the order of every read: a range of one series is one walk,
-- and the revisions of a bar lie next to each other.
CREATE TABLE bars (
    series_id  INTEGER NOT NULL REFERENCES series (series_id),
    open_time  INTEGER NOT NULL,            -- the bar's name; first instant
    known_at   INTEGER NOT NULL,
    close_time INTEGER NOT NULL,            -- exclusive end
    open       REAL NOT NULL,
    high       REAL NOT NULL,
    low        REAL NOT NULL,
    close      REAL NOT NULL,
    volume     REAL NOT NULL,               -- shares, or units of the coin
    adj_close  REAL,                        -- the vendor's adjusted close, where it gave one
    PRIMARY KEY (series_id, open_time, known_at),
    CONSTRAINT bars_times CHECK (open_time < close_time AND close_time <= known_at)
) STRICT, WITHOUT ROWID;

CREATE TABLE gaps (
    series_id   INTEGER NOT NULL REFERENCES series (series_id),
    from_time   INTEGER NOT NULL,           -- open_time of the first missing bar
    to_time     INTEGER NOT NULL,           -- close_time of the last missing bar
    detected_at INTEGER NOT NULL,
    n_bars      INTEGER NOT NULL,           -- how many bars are missing
    filled_at   INTEGER,                    -- when it was found filled; null while it is open
    PRIMARY KEY (series_id, from_time, to_time, detected_at)
) STRICT, WITHOUT ROWID;

CREATE TABLE actions (
    action_id   INTEGER PRIMARY KEY,        -- order of arrival
    symbol      TEXT NOT NULL,
    ex_date     TEXT NOT NULL,              -- first session under the new terms
    known_at    INTEGER NOT NULL,
    kind        TEXT NOT NULL,              -- split, dividend, delisting, rename
    numerator   REAL,                       -- of a split: new shares
    denominator REAL,                       -- of a split: for so many old ones
    amount      REAL,                       -- of a dividend: per share, in the quote currency
    renamed_to  TEXT                        -- of a rename: the new symbol
) STRICT;

-- Actions are read by asset in order of known_at; there are a few hundred an asset at most.
CREATE INDEX actions_symbol ON actions (symbol, known_at);

-- Vintages of macro series, in the order in which they are read.
CREATE TABLE observations (
    series_id      TEXT NOT NULL,           -- the publisher's id, such as CPIAUCSL
    ref_period     TEXT NOT NULL,           -- first day of the period the value describes
    realtime_start TEXT NOT NULL,           -- first day on which this value was the current one
    known_at       INTEGER NOT NULL,
    value          REAL NOT NULL,           -- in the series' own unit
    realtime_end   TEXT,                    -- first day on which it no longer was; null while it is
    PRIMARY KEY (series_id, ref_period, realtime_start, known_at)
) STRICT, WITHOUT ROWID;
