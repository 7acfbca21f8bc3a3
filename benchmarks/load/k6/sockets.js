// Socket.IO over bare WebSockets: each virtual user is one socket in ROOMS price rooms for SECONDS.
//
//   k6 run -e URL=http://127.0.0.1:8000 -e SOCKETS=100 benchmarks/load/k6/sockets.js
//
// k6 reads every message in JavaScript: a hundred sockets, not ten thousand. It is a client of
// another make than ours, and each is a check of the other.

import http from "k6/http";
import { check } from "k6";
import { Counter, Trend } from "k6/metrics";
import ws from "k6/ws";

const URL = __ENV.URL || "http://127.0.0.1:8000";
const SOCKETS = Number(__ENV.SOCKETS || 100);
const ROOMS = Number(__ENV.ROOMS || 5);
const SECONDS = Number(__ENV.SECONDS || 15);

const deliveries = new Counter("socket_deliveries");
const backwards = new Counter("socket_backwards");
const lost = new Counter("socket_lost");
const subscribed = new Trend("socket_subscribed_ms");
const published = new Trend("socket_published_ms");
const received = new Trend("socket_received_ms");

export const options = {
  scenarios: {
    sockets: {
      executor: "per-vu-iterations",
      vus: SOCKETS,
      iterations: 1,
      maxDuration: `${SECONDS + 15}s`,
    },
  },
  thresholds: {
    checks: ["rate==1"],
    socket_backwards: ["count==0"],
    socket_lost: ["count==0"],
    socket_deliveries: ["count>0"],
  },
};

export function setup() {
  const answer = http.get(`${URL}/v1/markets?limit=1000`);
  const rooms = answer
    .json("data")
    .filter((row) => row.open)
    .map((row) => `price:${row.market}`);
  if (rooms.length < ROOMS) throw new Error(`only ${rooms.length} markets are open`);
  return { rooms };
}

function roomsOf(user, rooms) {
  return Array.from({ length: ROOMS }, (_, i) => rooms[((user - 1) * ROOMS + i) % rooms.length]);
}

export default function (data) {
  const rooms = roomsOf(__VU, data.rooms);
  const began = Date.now();
  const last = {};
  let answer = null;
  let leaving = false;

  function takeUpdate(packet) {
    const now = Date.now() * 1000;
    const envelope = JSON.parse(packet.slice(2))[1];
    if (envelope.room === undefined) return;
    deliveries.add(1);
    if (!(envelope.seq >= last[envelope.room])) backwards.add(1);
    last[envelope.room] = envelope.seq;
    published.add((now - envelope.published_us) / 1000);
    received.add((now - envelope.received_us) / 1000);
  }

  function takeAnswer(packet) {
    [answer] = JSON.parse(packet.slice(3));
    subscribed.add(Date.now() - began);
    for (const room of Object.keys(answer.rooms)) last[room] = answer.rooms[room].seq;
  }

  const url = `${URL.replace("http", "ws")}/socket.io/?EIO=4&transport=websocket`;
  const response = ws.connect(url, {}, (socket) => {
    socket.on("message", (packet) => {
      if (packet.startsWith("42")) takeUpdate(packet);
      else if (packet === "2") socket.send("3");
      else if (packet.startsWith("430")) takeAnswer(packet);
      else if (packet.startsWith("40")) {
        socket.send(`420["subscribe",${JSON.stringify({ rooms })}]`);
      } else if (packet.startsWith("0")) socket.send("40");
    });
    socket.on("close", () => {
      if (!leaving) lost.add(1);
    });
    socket.setTimeout(() => {
      leaving = true;
      socket.close();
    }, SECONDS * 1000);
  });
  check(response, {
    "became a WebSocket": () => response && response.status === 101,
    "got every room": () =>
      answer !== null && answer.ok && rooms.every((room) => answer.rooms[room] !== undefined),
  });
}
