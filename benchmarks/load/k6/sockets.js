// Socket.IO over bare WebSockets: each virtual user is one socket in ROOMS price rooms for SECONDS.
//
//   k6 run -e URL=http://127.0.0.1:8000 -e SOCKETS=100 benchmarks/load/k6/sockets.js
//
// k6 reads every message in JavaScript: a hundred sockets, not ten thousand. It is another client
// than ours, so that both are checked.

import http from "k6/http";
import { check } from "k6";
import { Counter, Trend } from "k6/metrics";
import { WebSocket } from "k6/websockets";

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
  const rooms = answer.json("data").filter((row) => row.open).map((row) => `price:${row.market}`);
  if (rooms.length < ROOMS) throw new Error(`only ${rooms.length} markets are open`);
  return { rooms };
}

export default function (data) {
  const rooms = [];
  for (let i = 0; i < ROOMS; i += 1) {
    rooms.push(data.rooms[((__VU - 1) * ROOMS + i) % data.rooms.length]);
  }
  const began = Date.now();
  const last = {};
  let answered = false;
  let leaving = false;
  const socket = new WebSocket(`${URL.replace("http", "ws")}/socket.io/?EIO=4&transport=websocket`);

  function take(packet) {
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
    const [answer] = JSON.parse(packet.slice(3));
    answered = true;
    subscribed.add(Date.now() - began);
    check(answer, {
      "subscribed to every room": () =>
        answer.ok && rooms.every((room) => answer.rooms[room] !== undefined),
    });
    for (const [room, envelope] of Object.entries(answer.rooms)) last[room] = envelope.seq;
  }

  socket.onmessage = (event) => {
    const packet = event.data;
    if (packet.startsWith("42")) take(packet);
    else if (packet === "2") socket.send("3");
    else if (packet.startsWith("430")) takeAnswer(packet);
    else if (packet.startsWith("40")) {
      socket.send(`420["subscribe",${JSON.stringify({ rooms })}]`);
    } else if (packet.startsWith("0")) socket.send("40");
  };
  socket.onclose = () => {
    if (!leaving) lost.add(1);
  };
  socket.onerror = () => lost.add(1);
  setTimeout(() => {
    leaving = true;
    check(null, { "was answered": () => answered });
    socket.close();
  }, SECONDS * 1000);
}
