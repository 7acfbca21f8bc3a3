"""Servers that benchmarks compare ours with. All speak Socket.IO over WebSocket, take ``subscribe``
with ``{"rooms": [..]}``, acknowledge it, and send ``price`` events of some 290 bytes."""
