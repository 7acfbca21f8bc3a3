"""The gateway: REST, Socket.IO and the page over what the feed publishes."""
