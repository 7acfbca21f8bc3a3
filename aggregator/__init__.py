"""The feed: events of all venues consolidated into quotes, written to Redis and the tape."""
