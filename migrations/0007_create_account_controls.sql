-- What an account has said about all of its orders. ``openings_paused_at``: since when nothing is
-- opened, null: orders are taken.
CREATE TABLE account_controls (
    account_id         uuid PRIMARY KEY REFERENCES accounts,
    openings_paused_at timestamptz
);
