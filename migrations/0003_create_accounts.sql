-- Who signs in, and until when.

-- chain_id 0: the account of a key, the same on every chain. A contract wallet is an account of its
-- chain: at the same address on another chain somebody else may stand.
CREATE TABLE accounts (
    id         uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    address    text        NOT NULL CHECK (address ~ '^0x[0-9a-fA-F]{40}$'),
    chain_id   bigint      NOT NULL CHECK (chain_id >= 0),
    created_at timestamptz NOT NULL,
    UNIQUE (address, chain_id)
);

CREATE TABLE sessions (
    id         uuid        PRIMARY KEY,
    account_id uuid        NOT NULL REFERENCES accounts,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at   timestamptz,
    end_reason text        CHECK (end_reason IN ('logout', 'reuse')),
    CHECK ((ended_at IS NULL) = (end_reason IS NULL))
);
CREATE INDEX sessions_account ON sessions (account_id);
CREATE INDEX sessions_expires ON sessions (expires_at);

-- The chain of a session: each token is used once and names the one it was changed into.
CREATE TABLE refresh_tokens (
    sha256     bytea       PRIMARY KEY CHECK (length(sha256) = 32),
    session_id uuid        NOT NULL REFERENCES sessions ON DELETE CASCADE,
    issued_at  timestamptz NOT NULL,
    used_at    timestamptz,
    used_by    text,
    next       bytea       CHECK (length(next) = 32),
    CHECK ((used_at IS NULL) = (next IS NULL) AND (used_at IS NULL) = (used_by IS NULL))
);
CREATE INDEX refresh_tokens_session ON refresh_tokens (session_id);
