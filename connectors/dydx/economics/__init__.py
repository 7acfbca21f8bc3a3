"""What trading and holding on dYdX v4 costs, computed as the chain computes it. Pure."""
