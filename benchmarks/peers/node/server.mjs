// Node socket.io with ws, without compression: rooms and `io.to(room).emit`.
// node server.mjs --port N --rooms N --hz N, as the other peers.

import { createServer } from "node:http";
import { createRequire } from "node:module";

const options = {};
for (let i = 2; i + 1 < process.argv.length; i += 2) {
  options[process.argv[i].slice(2)] = Number(process.argv[i + 1]);
}
const require = createRequire(process.env.PEER_MODULES + "/");
const { Server } = require("socket.io");

const http = createServer();
const io = new Server(http, {
  perMessageDeflate: false,
  httpCompression: false,
  transports: ["websocket"],
  pingInterval: 3_600_000,
  pingTimeout: 3_600_000,
});

io.on("connection", (socket) => {
  socket.on("subscribe", ({ rooms }, answer) => {
    const snapshots = rooms.map((room) => [room, envelope(room, seq - 1, now_us())]);
    answer({ ok: true, rooms: Object.fromEntries(snapshots) });
    for (const room of rooms) socket.join(room);
  });
});

const WARM_SEQ = 2 ** 40;

function envelope(room, seq, due_us) {
  return {
    type: "update",
    room,
    seq: WARM_SEQ + seq,
    epoch: 1790000000,
    cause: "frame",
    received_us: due_us,
    published_us: due_us,
    data: {
      bid: "97012.5",
      bid_venue: "dydx",
      bid_size: "0.83",
      ask: "97013",
      ask_venue: "gains",
      ask_size: null,
      mid: "97012.75",
      spread_bps: 0.05,
      crossed: false,
    },
  };
}

function now_us() {
  return Math.trunc((performance.timeOrigin + performance.now()) * 1000);
}

const period_us = 1e6 / options.hz;
const start_us = now_us() + 10_000;
let seq = 1;
let number = 0;

function due() {
  return Math.trunc(start_us + period_us * (seq + number / options.rooms));
}

// Node's timers have steps of 1 ms, so several updates can be due at once.
function turn() {
  while (due() <= now_us()) {
    const room = `price:R${number}-USD`;
    io.to(room).emit("price", envelope(room, seq, due()));
    number += 1;
    if (number === options.rooms) {
      number = 0;
      seq += 1;
    }
  }
  setTimeout(turn, Math.max(0, (due() - now_us()) / 1000));
}

http.listen({ port: options.port, host: "127.0.0.1", backlog: 2048 }, turn);
