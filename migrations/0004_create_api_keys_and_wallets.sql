-- What belongs to an account besides its sessions: keys for programs, and wallets of other chains.

-- A key that was revoked is gone: nothing of it is left to be guessed at.
CREATE TABLE api_keys (
    id         uuid        PRIMARY KEY,
    account_id uuid        NOT NULL REFERENCES accounts,
    name       text        NOT NULL CHECK (length(name) BETWEEN 1 AND 64),
    scopes     text[]      NOT NULL CHECK (scopes <@ ARRAY['read', 'trade'] AND scopes <> '{}'),
    sha256     bytea       NOT NULL UNIQUE CHECK (length(sha256) = 32),
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    used_at    timestamptz
);
CREATE INDEX api_keys_account ON api_keys (account_id);

CREATE TABLE wallets (
    account_id uuid        NOT NULL REFERENCES accounts,
    venue      text        NOT NULL CHECK (venue = 'dydx'),
    address    text        NOT NULL CHECK (address ~ '^dydx1[02-9ac-hj-np-z]{38}$'),
    public_key bytea       NOT NULL CHECK (length(public_key) = 33),
    linked_at  timestamptz NOT NULL,
    PRIMARY KEY (account_id, venue, address)
);
