"""The sandbox's own chains: what stands on them from the first block on, and a client."""
