"""What the gateway knows of the feed: the newest of every room, read from Redis."""
