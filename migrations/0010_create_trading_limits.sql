-- What the operators say about openings: of a venue, and under an empty name of all. Exits know no
-- limits. ``again_from``: an operator asked that the logs of a chain are read again from this block.
CREATE TABLE trading_limits (
    venue               text PRIMARY KEY,
    openings_stopped_at timestamptz,
    max_notional_usd    numeric CHECK (max_notional_usd > 0)
);
ALTER TABLE chain_cursors ADD COLUMN again_from bigint;
