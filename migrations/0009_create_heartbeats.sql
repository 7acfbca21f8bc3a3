-- Dead man's switches. ``due_at``: unless its owner is heard before, the orders of the account are
-- asked to go; null: it is off. ``lapsed_at``: when that happened last.
CREATE TABLE heartbeats (
    account_id uuid        PRIMARY KEY REFERENCES accounts,
    due_at     timestamptz,
    lapsed_at  timestamptz
);
CREATE INDEX heartbeats_due ON heartbeats (due_at) WHERE due_at IS NOT NULL;
