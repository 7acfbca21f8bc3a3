-- Orders: what was asked for, what became of it, and what still has to be done about it.

-- What somebody was shown and may place for ten seconds. ``legs``: with the price guards.
CREATE TABLE guarded_quotes (
    id         uuid        PRIMARY KEY,
    account_id uuid        NOT NULL REFERENCES accounts,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    request    jsonb       NOT NULL,
    legs       jsonb       NOT NULL,
    excluded   jsonb       NOT NULL
);
CREATE INDEX guarded_quotes_expires ON guarded_quotes (expires_at);

CREATE TABLE orders (
    id               uuid        PRIMARY KEY,
    account_id       uuid        NOT NULL REFERENCES accounts,
    client_order_id  text        CHECK (length(client_order_id) BETWEEN 1 AND 64),
    group_id         uuid        NOT NULL,
    -- No reference: quotes are forgotten, orders are not.
    quote_id         uuid,
    tag              bytea       NOT NULL UNIQUE CHECK (length(tag) = 32),
    market           text        NOT NULL,
    venue            text        NOT NULL,
    chain_id         text        NOT NULL,
    pool             text,
    side             text        NOT NULL CHECK (side IN ('BUY', 'SELL')),
    intent           jsonb       NOT NULL,
    leg              jsonb       NOT NULL,
    owner            text        NOT NULL,
    signing          text        NOT NULL CHECK (signing IN ('wallet', 'delegated')),
    approval         text        NOT NULL CHECK (approval IN ('exact', 'unlimited')),
    allow_reroute    boolean     NOT NULL,
    deadline         timestamptz NOT NULL,
    size_base        numeric     NOT NULL CHECK (size_base > 0),
    version          integer     NOT NULL CHECK (version > 0),
    state            text        NOT NULL CHECK (state IN (
        'accepted', 'prepared', 'submitted', 'mined', 'working', 'partially_filled', 'filled',
        'cancelled', 'expired', 'rejected', 'unknown', 'dead')),
    phase            text        NOT NULL CHECK (phase IN ('accepted', 'prepared', 'submitted')),
    ending           text        CHECK (ending IN (
        'cancelled', 'expired', 'rejected', 'dead', 'unknown')),
    reason           jsonb,
    cancel_requested boolean     NOT NULL DEFAULT false,
    cancel_sent      boolean     NOT NULL DEFAULT false,
    final            boolean     NOT NULL DEFAULT false,
    venue_refs       jsonb       NOT NULL DEFAULT '{}',
    -- Who works on it. A write with an epoch that is not the last one is refused.
    lease_owner      text,
    lease_until      timestamptz,
    lease_epoch      bigint      NOT NULL DEFAULT 0,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    UNIQUE (account_id, client_order_id)
);
CREATE INDEX orders_account ON orders (account_id, created_at DESC, id);
CREATE INDEX orders_group ON orders (group_id);
-- What is not at its end: few, whatever was traded before.
CREATE INDEX orders_open ON orders (updated_at) WHERE NOT final;

CREATE TABLE order_events (
    order_id   uuid        NOT NULL REFERENCES orders,
    seq        integer     NOT NULL CHECK (seq > 0),
    at         timestamptz NOT NULL,
    type       text        NOT NULL,
    from_state text,
    to_state   text        NOT NULL,
    PRIMARY KEY (order_id, seq)
);

CREATE TABLE order_steps (
    order_id   uuid        NOT NULL REFERENCES orders,
    step_id    text        NOT NULL CHECK (step_id IN ('approve', 'order', 'cancel', 'update')),
    version    integer     NOT NULL CHECK (version > 0),
    kind       text        NOT NULL CHECK (kind IN ('evm_tx', 'cosmos_direct')),
    status     text        NOT NULL CHECK (status IN (
        'ready', 'blocked', 'submitted', 'done', 'expired', 'failed')),
    sign_by    timestamptz NOT NULL,
    payload    jsonb       NOT NULL,
    simulation jsonb,
    PRIMARY KEY (order_id, step_id, version)
);

-- Every hash ever published, by the nonce it was for. ``raw``: sealed, they can be broadcast by
-- whoever has them.
CREATE TABLE tx_attempts (
    chain_id     text        NOT NULL,
    tx_hash      text        NOT NULL,
    order_id     uuid        NOT NULL REFERENCES orders,
    step_id      text        NOT NULL,
    step_version integer     NOT NULL,
    sender       text        NOT NULL,
    nonce        numeric     NOT NULL CHECK (nonce >= 0),
    raw          bytea,
    status       text        NOT NULL CHECK (status IN (
        'stored', 'sent', 'mined', 'reverted', 'replaced', 'dropped')),
    max_fee_wei  numeric,
    tip_wei      numeric,
    block_number bigint,
    block_hash   text,
    stored_at    timestamptz NOT NULL,
    sent_at      timestamptz,
    PRIMARY KEY (chain_id, tx_hash)
);
CREATE INDEX tx_attempts_order ON tx_attempts (order_id);
CREATE INDEX tx_attempts_nonce ON tx_attempts (chain_id, sender, nonce);

-- Facts, by their place. What a reorganised chain took back stays, with the time it went.
CREATE TABLE chain_events (
    chain_id     text        NOT NULL,
    block_hash   text        NOT NULL,
    tx_hash      text        NOT NULL,
    log_index    integer     NOT NULL,
    block_number bigint      NOT NULL,
    order_id     uuid        NOT NULL REFERENCES orders,
    kind         text        NOT NULL,
    data         jsonb       NOT NULL,
    seen_at      timestamptz NOT NULL,
    undone_at    timestamptz,
    PRIMARY KEY (chain_id, block_hash, tx_hash, log_index)
);
CREATE INDEX chain_events_order ON chain_events (order_id);

-- The ledger: what stands of the fills among the facts.
CREATE TABLE fills (
    chain_id      text        NOT NULL,
    block_hash    text        NOT NULL,
    tx_hash       text        NOT NULL,
    log_index     integer     NOT NULL,
    order_id      uuid        NOT NULL REFERENCES orders,
    account_id    uuid        NOT NULL REFERENCES accounts,
    market        text        NOT NULL,
    venue         text        NOT NULL,
    side          text        NOT NULL,
    price         numeric     NOT NULL CHECK (price > 0),
    size_base     numeric     NOT NULL CHECK (size_base > 0),
    fee_usd       numeric,
    impact_usd    numeric,
    funding_usd   numeric,
    borrowing_usd numeric,
    pnl_usd       numeric,
    at            timestamptz NOT NULL,
    PRIMARY KEY (chain_id, block_hash, tx_hash, log_index)
);
CREATE INDEX fills_account ON fills (account_id, at DESC);
CREATE INDEX fills_order ON fills (order_id);

-- Why an order went where it went: for the analysis of its costs.
CREATE TABLE decisions (
    order_id    uuid        PRIMARY KEY REFERENCES orders,
    at          timestamptz NOT NULL,
    arrival_mid numeric     NOT NULL CHECK (arrival_mid > 0),
    routes      jsonb       NOT NULL
);

-- Answers to requests that must not be carried out twice.
CREATE TABLE idempotency (
    account_id uuid        NOT NULL REFERENCES accounts,
    key        text        NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    sha256     bytea       NOT NULL CHECK (length(sha256) = 32),
    status     integer     NOT NULL,
    body       bytea       NOT NULL,
    location   text,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, key)
);
CREATE INDEX idempotency_created ON idempotency (created_at);

-- What the executor has to look at: written with the change that asks for it.
CREATE TABLE outbox (
    id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id   uuid        NOT NULL REFERENCES orders,
    version    integer     NOT NULL,
    created_at timestamptz NOT NULL,
    relayed_at timestamptz,
    done_at    timestamptz
);
CREATE INDEX outbox_waiting ON outbox (id) WHERE relayed_at IS NULL;
CREATE INDEX outbox_undone ON outbox (relayed_at) WHERE done_at IS NULL;

CREATE TABLE dead_letters (
    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id    uuid        NOT NULL REFERENCES orders,
    version     integer     NOT NULL,
    deliveries  integer     NOT NULL,
    code        text        NOT NULL,
    message     text        NOT NULL,
    created_at  timestamptz NOT NULL,
    replayed_at timestamptz
);
CREATE INDEX dead_letters_waiting ON dead_letters (id) WHERE replayed_at IS NULL;

CREATE TABLE audit (
    id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         timestamptz NOT NULL,
    account_id uuid        REFERENCES accounts,
    actor      text        NOT NULL,
    action     text        NOT NULL,
    subject    text        NOT NULL,
    data       jsonb       NOT NULL
);
CREATE INDEX audit_account ON audit (account_id, at);
