"""Where an order is best traded, priced from the depth that the feed publishes."""
