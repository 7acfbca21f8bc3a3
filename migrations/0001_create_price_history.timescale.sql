-- The same history where TimescaleDB (2.9 or newer) is available. Taken in place of the file without
-- ``.timescale`` in its name. NOT RUN YET against a TimescaleDB: there was none to run it on.

CREATE EXTENSION IF NOT EXISTS timescaledb;

CREATE TABLE price_ticks (
    at     timestamptz NOT NULL,
    market text        NOT NULL,
    venue  text        NOT NULL,
    mid    numeric     NOT NULL CHECK (mid > 0),
    PRIMARY KEY (market, venue, at)
);
SELECT create_hypertable('price_ticks', 'at', chunk_time_interval => interval '1 day');

CREATE MATERIALIZED VIEW candles_1m
WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT market, venue, time_bucket(interval '1 minute', at) AS t,
       first(mid, at) AS open, max(mid) AS high, min(mid) AS low, last(mid, at) AS close,
       count(*) AS ticks
FROM price_ticks GROUP BY market, venue, time_bucket(interval '1 minute', at) WITH NO DATA;

CREATE MATERIALIZED VIEW candles_5m
WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT market, venue, time_bucket(interval '5 minutes', t) AS t,
       first(open, t) AS open, max(high) AS high, min(low) AS low, last(close, t) AS close,
       sum(ticks) AS ticks
FROM candles_1m GROUP BY market, venue, time_bucket(interval '5 minutes', t) WITH NO DATA;

CREATE MATERIALIZED VIEW candles_15m
WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT market, venue, time_bucket(interval '15 minutes', t) AS t,
       first(open, t) AS open, max(high) AS high, min(low) AS low, last(close, t) AS close,
       sum(ticks) AS ticks
FROM candles_5m GROUP BY market, venue, time_bucket(interval '15 minutes', t) WITH NO DATA;

CREATE MATERIALIZED VIEW candles_1h
WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT market, venue, time_bucket(interval '1 hour', t) AS t,
       first(open, t) AS open, max(high) AS high, min(low) AS low, last(close, t) AS close,
       sum(ticks) AS ticks
FROM candles_15m GROUP BY market, venue, time_bucket(interval '1 hour', t) WITH NO DATA;

CREATE MATERIALIZED VIEW candles_4h
WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT market, venue, time_bucket(interval '4 hours', t) AS t,
       first(open, t) AS open, max(high) AS high, min(low) AS low, last(close, t) AS close,
       sum(ticks) AS ticks
FROM candles_1h GROUP BY market, venue, time_bucket(interval '4 hours', t) WITH NO DATA;

CREATE MATERIALIZED VIEW candles_1d
WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT market, venue, time_bucket(interval '1 day', t) AS t,
       first(open, t) AS open, max(high) AS high, min(low) AS low, last(close, t) AS close,
       sum(ticks) AS ticks
FROM candles_4h GROUP BY market, venue, time_bucket(interval '1 day', t) WITH NO DATA;

-- Late ticks are found by the extension's own record of what changed within the window. Windows end
-- before the retention of what they read begins.
SELECT add_continuous_aggregate_policy('candles_1m', start_offset => interval '12 hours',
    end_offset => interval '1 minute', schedule_interval => interval '1 minute');
SELECT add_continuous_aggregate_policy('candles_5m', start_offset => interval '1 day',
    end_offset => interval '5 minutes', schedule_interval => interval '5 minutes');
SELECT add_continuous_aggregate_policy('candles_15m', start_offset => interval '1 day',
    end_offset => interval '15 minutes', schedule_interval => interval '15 minutes');
SELECT add_continuous_aggregate_policy('candles_1h', start_offset => interval '2 days',
    end_offset => interval '1 hour', schedule_interval => interval '30 minutes');
SELECT add_continuous_aggregate_policy('candles_4h', start_offset => interval '3 days',
    end_offset => interval '4 hours', schedule_interval => interval '1 hour');
SELECT add_continuous_aggregate_policy('candles_1d', start_offset => interval '7 days',
    end_offset => interval '1 day', schedule_interval => interval '1 hour');

CREATE VIEW tick_history AS SELECT market, venue, at, mid FROM price_ticks;
CREATE VIEW candle_history AS
    SELECT '1m'::text AS period, market, venue, t, open, high, low, close, ticks FROM candles_1m
    UNION ALL SELECT '5m', market, venue, t, open, high, low, close, ticks FROM candles_5m
    UNION ALL SELECT '15m', market, venue, t, open, high, low, close, ticks FROM candles_15m
    UNION ALL SELECT '1h', market, venue, t, open, high, low, close, ticks FROM candles_1h
    UNION ALL SELECT '4h', market, venue, t, open, high, low, close, ticks FROM candles_4h
    UNION ALL SELECT '1d', market, venue, t, open, high, low, close, ticks FROM candles_1d;
-- The aggregates compute what is not materialised yet when they are read.
CREATE VIEW open_minutes AS SELECT NULL::timestamptz AS t WHERE false;
