"""The ``perptape`` command: supervises the roles and embeds Redis and Postgres."""
