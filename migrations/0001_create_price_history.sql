-- Price history on plain Postgres: ticks in one partition a day, candles rolled up from them.

-- At most one tick a series and quarter of a second: the key makes writing one again harmless.
-- ``venue`` is ``best`` for the consolidated mid.
CREATE TABLE price_ticks (
    at     timestamptz NOT NULL,
    market text        NOT NULL,
    venue  text        NOT NULL,
    mid    numeric     NOT NULL CHECK (mid > 0),
    PRIMARY KEY (market, venue, at)
) PARTITION BY RANGE (at);

-- A roll-up reads one minute of all series; rows lie on disk nearly in the order of time.
CREATE INDEX price_ticks_at ON price_ticks
    USING brin (at) WITH (pages_per_range = 32, autosummarize = on);

CREATE TABLE candles (
    period text        NOT NULL,
    market text        NOT NULL,
    venue  text        NOT NULL,
    t      timestamptz NOT NULL,
    open   numeric     NOT NULL,
    high   numeric     NOT NULL,
    low    numeric     NOT NULL,
    close  numeric     NOT NULL,
    ticks  bigint      NOT NULL CHECK (ticks > 0),
    PRIMARY KEY (period, market, venue, t),
    CHECK (low <= open AND low <= close AND high >= open AND high >= close)
) PARTITION BY LIST (period);

CREATE TABLE candles_1m PARTITION OF candles FOR VALUES IN ('1m');
CREATE TABLE candles_5m PARTITION OF candles FOR VALUES IN ('5m');
CREATE TABLE candles_15m PARTITION OF candles FOR VALUES IN ('15m');
CREATE TABLE candles_1h PARTITION OF candles FOR VALUES IN ('1h');
CREATE TABLE candles_4h PARTITION OF candles FOR VALUES IN ('4h');
CREATE TABLE candles_1d PARTITION OF candles FOR VALUES IN ('1d');
CREATE INDEX candles_t ON candles (t);

-- Minutes with ticks that no candle has yet. Written with the ticks, so a late one re-opens it.
CREATE TABLE candle_work (
    t       timestamptz PRIMARY KEY,
    changes bigint      NOT NULL DEFAULT 1
);

-- What readers use; the same columns stand before TimescaleDB where that keeps the history.
CREATE VIEW tick_history AS SELECT market, venue, at, mid FROM price_ticks;
CREATE VIEW candle_history AS
    SELECT period, market, venue, t, open, high, low, close, ticks FROM candles;
CREATE VIEW open_minutes AS SELECT t FROM candle_work;
