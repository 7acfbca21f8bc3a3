-- The same where TimescaleDB keeps the history. NOT RUN YET against a TimescaleDB.

CREATE TABLE venue_candles (
    period text        NOT NULL,
    market text        NOT NULL,
    venue  text        NOT NULL,
    t      timestamptz NOT NULL,
    open   numeric     NOT NULL,
    high   numeric     NOT NULL,
    low    numeric     NOT NULL,
    close  numeric     NOT NULL,
    PRIMARY KEY (period, market, venue, t),
    CHECK (low > 0 AND low <= open AND low <= close AND high >= open AND high >= close)
);
CREATE INDEX venue_candles_t ON venue_candles (period, t);

CREATE TABLE venue_loads (
    market    text        NOT NULL,
    venue     text        NOT NULL,
    period    text        NOT NULL,
    candles   integer     NOT NULL,
    loaded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (market, venue, period)
);

CREATE TABLE spread_samples (
    at         timestamptz NOT NULL,
    market     text        NOT NULL,
    venue      text        NOT NULL,
    spread_bps numeric     NOT NULL,
    offset_bps numeric     NOT NULL,
    PRIMARY KEY (market, venue, at)
);
SELECT create_hypertable('spread_samples', 'at', chunk_time_interval => interval '1 day');

CREATE TABLE funding_samples (
    at                    timestamptz NOT NULL,
    market                text        NOT NULL,
    venue                 text        NOT NULL,
    pool                  text        NOT NULL,
    per_hour              numeric     NOT NULL,
    short_per_hour        numeric     NOT NULL,
    borrow_long_per_hour  numeric,
    borrow_short_per_hour numeric,
    oi_long_usd           numeric,
    oi_short_usd          numeric,
    PRIMARY KEY (market, venue, pool, at)
);
SELECT create_hypertable('funding_samples', 'at', chunk_time_interval => interval '1 day');

CREATE MATERIALIZED VIEW spreads_5m
WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT market, venue, time_bucket(interval '5 minutes', at) AS t,
       sum(spread_bps) AS spread_sum, min(spread_bps) AS spread_low, max(spread_bps) AS spread_high,
       sum(offset_bps) AS offset_sum, min(offset_bps) AS offset_low, max(offset_bps) AS offset_high,
       count(*) AS samples
FROM spread_samples GROUP BY market, venue, time_bucket(interval '5 minutes', at) WITH NO DATA;

CREATE MATERIALIZED VIEW spreads_1h
WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT market, venue, time_bucket(interval '1 hour', t) AS t,
       sum(spread_sum) AS spread_sum, min(spread_low) AS spread_low, max(spread_high) AS spread_high,
       sum(offset_sum) AS offset_sum, min(offset_low) AS offset_low, max(offset_high) AS offset_high,
       sum(samples) AS samples
FROM spreads_5m GROUP BY market, venue, time_bucket(interval '1 hour', t) WITH NO DATA;

CREATE MATERIALIZED VIEW spreads_1d
WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT market, venue, time_bucket(interval '1 day', t) AS t,
       sum(spread_sum) AS spread_sum, min(spread_low) AS spread_low, max(spread_high) AS spread_high,
       sum(offset_sum) AS offset_sum, min(offset_low) AS offset_low, max(offset_high) AS offset_high,
       sum(samples) AS samples
FROM spreads_1h GROUP BY market, venue, time_bucket(interval '1 day', t) WITH NO DATA;

CREATE MATERIALIZED VIEW funding_1h
WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT market, venue, pool, time_bucket(interval '1 hour', at) AS t,
       sum(per_hour) AS long_sum, sum(short_per_hour) AS short_sum,
       sum(borrow_long_per_hour) AS borrow_long_sum, sum(borrow_short_per_hour) AS borrow_short_sum,
       last(oi_long_usd, at) AS oi_long_usd, last(oi_short_usd, at) AS oi_short_usd,
       count(*) AS samples
FROM funding_samples GROUP BY market, venue, pool, time_bucket(interval '1 hour', at) WITH NO DATA;

CREATE MATERIALIZED VIEW funding_1d
WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT market, venue, pool, time_bucket(interval '1 day', t) AS t,
       sum(long_sum) AS long_sum, sum(short_sum) AS short_sum,
       sum(borrow_long_sum) AS borrow_long_sum, sum(borrow_short_sum) AS borrow_short_sum,
       last(oi_long_usd, t) AS oi_long_usd, last(oi_short_usd, t) AS oi_short_usd,
       sum(samples) AS samples
FROM funding_1h GROUP BY market, venue, pool, time_bucket(interval '1 day', t) WITH NO DATA;

SELECT add_continuous_aggregate_policy('spreads_5m', start_offset => interval '12 hours',
    end_offset => interval '5 minutes', schedule_interval => interval '5 minutes');
SELECT add_continuous_aggregate_policy('spreads_1h', start_offset => interval '2 days',
    end_offset => interval '1 hour', schedule_interval => interval '30 minutes');
SELECT add_continuous_aggregate_policy('spreads_1d', start_offset => interval '7 days',
    end_offset => interval '1 day', schedule_interval => interval '1 hour');
SELECT add_continuous_aggregate_policy('funding_1h', start_offset => interval '12 hours',
    end_offset => interval '1 hour', schedule_interval => interval '30 minutes');
SELECT add_continuous_aggregate_policy('funding_1d', start_offset => interval '7 days',
    end_offset => interval '1 day', schedule_interval => interval '1 hour');

CREATE VIEW spread_history AS
    SELECT '5m'::text AS period, market, venue, t, spread_sum, spread_low, spread_high, offset_sum,
           offset_low, offset_high, samples FROM spreads_5m
    UNION ALL SELECT '1h', market, venue, t, spread_sum, spread_low, spread_high, offset_sum,
           offset_low, offset_high, samples FROM spreads_1h
    UNION ALL SELECT '1d', market, venue, t, spread_sum, spread_low, spread_high, offset_sum,
           offset_low, offset_high, samples FROM spreads_1d;
CREATE VIEW funding_history AS
    SELECT '1h'::text AS period, market, venue, pool, t, long_sum, short_sum, borrow_long_sum,
           borrow_short_sum, oi_long_usd, oi_short_usd, samples FROM funding_1h
    UNION ALL SELECT '1d', market, venue, pool, t, long_sum, short_sum, borrow_long_sum,
           borrow_short_sum, oi_long_usd, oi_short_usd, samples FROM funding_1d;
