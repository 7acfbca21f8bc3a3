-- Candles as a venue tells them, of times before a series was recorded here.
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

-- What was loaded: once a series.
CREATE TABLE venue_loads (
    market    text        NOT NULL,
    venue     text        NOT NULL,
    period    text        NOT NULL,
    candles   integer     NOT NULL,
    loaded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (market, venue, period)
);

-- How wide the touch is and how far the mid lies from the consolidated one, every ten seconds.
CREATE TABLE spread_samples (
    at         timestamptz NOT NULL,
    market     text        NOT NULL,
    venue      text        NOT NULL,
    spread_bps numeric     NOT NULL,
    offset_bps numeric     NOT NULL,
    PRIMARY KEY (market, venue, at)
) PARTITION BY RANGE (at);
CREATE INDEX spread_samples_at ON spread_samples
    USING brin (at) WITH (pages_per_range = 32, autosummarize = on);

-- Sums, so that a wider bucket is made from the next finer one.
CREATE TABLE spreads (
    period      text        NOT NULL,
    market      text        NOT NULL,
    venue       text        NOT NULL,
    t           timestamptz NOT NULL,
    spread_sum  numeric     NOT NULL,
    spread_low  numeric     NOT NULL,
    spread_high numeric     NOT NULL,
    offset_sum  numeric     NOT NULL,
    offset_low  numeric     NOT NULL,
    offset_high numeric     NOT NULL,
    samples     bigint      NOT NULL CHECK (samples > 0),
    PRIMARY KEY (period, market, t, venue)
);
CREATE INDEX spreads_t ON spreads (period, t);

-- Rates an hour as fractions, every five minutes. ``pool`` is empty at an order book.
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
) PARTITION BY RANGE (at);
CREATE INDEX funding_samples_at ON funding_samples
    USING brin (at) WITH (pages_per_range = 32, autosummarize = on);

CREATE TABLE funding_rates (
    period           text        NOT NULL,
    market           text        NOT NULL,
    venue            text        NOT NULL,
    pool             text        NOT NULL,
    t                timestamptz NOT NULL,
    long_sum         numeric     NOT NULL,
    short_sum        numeric     NOT NULL,
    borrow_long_sum  numeric,
    borrow_short_sum numeric,
    oi_long_usd      numeric,
    oi_short_usd     numeric,
    samples          bigint      NOT NULL CHECK (samples > 0),
    PRIMARY KEY (period, market, t, venue, pool)
);
CREATE INDEX funding_rates_t ON funding_rates (period, t);

CREATE VIEW spread_history AS
    SELECT period, market, venue, t, spread_sum, spread_low, spread_high, offset_sum, offset_low,
           offset_high, samples
    FROM spreads;
CREATE VIEW funding_history AS
    SELECT period, market, venue, pool, t, long_sum, short_sum, borrow_long_sum,
           borrow_short_sum, oi_long_usd, oi_short_usd, samples
    FROM funding_rates;
