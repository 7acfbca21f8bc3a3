"""Socket.IO: frames, sessions, transports and the fan-out of rooms to sockets."""
