-- What owners ask to be changed about orders that live, and from when on a step may be sent.

CREATE TABLE order_amendments (
    order_id      uuid        NOT NULL REFERENCES orders,
    -- Of the order, as it asked for it.
    seq           integer     NOT NULL CHECK (seq > 0),
    asked_at      timestamptz NOT NULL,
    limit_price   numeric     CHECK (limit_price > 0),
    trigger_price numeric     CHECK (trigger_price > 0),
    size_base     numeric     CHECK (size_base > 0),
    -- 0: there is to be none.
    take_profit   numeric     CHECK (take_profit >= 0),
    stop_loss     numeric     CHECK (stop_loss >= 0),
    status        text        NOT NULL DEFAULT 'asked' CHECK (status IN (
        'asked', 'superseded', 'applied', 'refused')),
    -- Of the step ``update``: those that ask the venue for it, the last one counts.
    step_versions integer[]   NOT NULL DEFAULT '{}',
    reason        jsonb,
    -- What the order was before it was applied: a reorganised chain takes it back.
    previous      jsonb,
    PRIMARY KEY (order_id, seq)
);
CREATE INDEX order_amendments_asked ON order_amendments (order_id) WHERE status = 'asked';

-- Blocked until then: the venue takes it no earlier.
ALTER TABLE order_steps ADD COLUMN not_before timestamptz;
