-- What the executor keeps: which step waits for which, how far each chain was read, and what of the
-- history accounts were told.

ALTER TABLE order_steps ADD COLUMN blocked_by text CHECK (blocked_by IN ('approve'));
CREATE INDEX order_steps_open ON order_steps (sign_by) WHERE status IN ('ready', 'blocked');
CREATE INDEX tx_attempts_open ON tx_attempts (chain_id, stored_at)
    WHERE status IN ('stored', 'sent');

-- Read up to this block, that one included.
CREATE TABLE chain_cursors (
    chain_id     text        PRIMARY KEY,
    block_number bigint      NOT NULL CHECK (block_number >= 0),
    updated_at   timestamptz NOT NULL
);

ALTER TABLE order_events ADD COLUMN told_at timestamptz;
CREATE INDEX order_events_untold ON order_events (at, order_id, seq) WHERE told_at IS NULL;
