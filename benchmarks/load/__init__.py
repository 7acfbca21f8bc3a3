"""The load kit: sockets by the thousand against a running instance, k6, and a page of what came of
it."""
