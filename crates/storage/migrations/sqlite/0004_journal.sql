-- The quality journal: what was noticed about incoming data. The same noticed again is counted, so that a source in
-- trouble fills no disk.

CREATE TABLE remarks (
    remark_id INTEGER PRIMARY KEY,          -- order of first notice
    source    TEXT NOT NULL,                -- whose data
    kind      TEXT NOT NULL,                -- refused, repaired, revised, gap, switched, ...
    symbol    TEXT NOT NULL,                -- the asset; empty when it is about the source as a whole
    timeframe TEXT NOT NULL,                -- bar length; empty when it is not about bars
    from_time INTEGER,                      -- the first instant it is about
    to_time   INTEGER,                      -- the first instant after
    text      TEXT NOT NULL,                -- in words
    first_at  INTEGER NOT NULL,             -- when it was first noticed
    last_at   INTEGER NOT NULL,             -- and when last
    n_times   INTEGER NOT NULL              -- how often
) STRICT;

-- What makes two notices the same. An instant of none is told from all others by a value no instant has.
CREATE UNIQUE INDEX remarks_same
    ON remarks (symbol, source, kind, timeframe, coalesce(from_time, -9223372036854775808), text);

-- An asset's journal, newest first.
CREATE INDEX remarks_symbol ON remarks (symbol, last_at);
