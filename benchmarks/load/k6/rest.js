// REST under load: a steady rate of requests over every kind of answer, with its latencies by route.
//
//   k6 run -e URL=http://127.0.0.1:8000 -e RATE=200 -e SECONDS=15 benchmarks/load/k6/rest.js
//
// Requests arrive at RATE a second whether or not the answers keep up. A price that is gone is an
// answer too (503 QUOTE_STALE); anything else that is not 200 is a failure.

import http from "k6/http";
import { check } from "k6";
import { Counter, Trend } from "k6/metrics";

const URL = __ENV.URL || "http://127.0.0.1:8000";
const RATE = Number(__ENV.RATE || 200);
const SECONDS = Number(__ENV.SECONDS || 15);
const P99_MS = Number(__ENV.P99_MS || 250);

const ROUTES = ["markets", "quote", "quotes", "ladder", "candles", "venues", "health"];
const stale = new Counter("answers_stale");
const limited = new Counter("answers_rate_limited");
const unavailable = new Counter("answers_unavailable");
const trends = Object.fromEntries(ROUTES.map((name) => [name, new Trend(`rest_${name}_ms`)]));

http.setResponseCallback(http.expectedStatuses(200, 503));

export const options = {
  scenarios: {
    requests: {
      executor: "constant-arrival-rate",
      rate: RATE,
      timeUnit: "1s",
      duration: `${SECONDS}s`,
      preAllocatedVUs: 20,
      maxVUs: 200,
    },
  },
  thresholds: {
    checks: ["rate>0.999"],
    http_req_failed: ["rate<0.001"],
    http_req_duration: [`p(99)<${P99_MS}`],
    answers_rate_limited: ["count==0"],
    dropped_iterations: ["count==0"],
  },
};

export function setup() {
  const answer = http.get(`${URL}/v1/markets?limit=1000`);
  if (answer.status !== 200) throw new Error(`GET /v1/markets: ${answer.status}`);
  const markets = answer
    .json("data")
    .filter((row) => row.open)
    .map((row) => row.market);
  if (!markets.length) throw new Error("no market is open");
  return { markets };
}

function path(route, market) {
  switch (route) {
    case "markets":
      return "/v1/markets?limit=1000";
    case "quote":
      return `/v1/quotes/${market}`;
    case "quotes":
      return "/v1/quotes?limit=100";
    case "ladder":
      return `/v1/ladders/${market}?sizes=2500,40000`;
    case "candles":
      return `/v1/candles/${market}?interval=1m&limit=100`;
    case "venues":
      return "/v1/venues";
    default:
      return "/health";
  }
}

function isGone(route, answer) {
  const priced = route === "quote" || route === "ladder";
  return priced && answer.status === 503 && answer.json("code") === "QUOTE_STALE";
}

function isRight(route, market, answer) {
  const body = answer.json();
  if (route === "health") return body !== null;
  if (route === "quote" || route === "ladder") return body.data.room.endsWith(`:${market}`);
  return typeof body.data === "object";
}

export default function (data) {
  const market = data.markets[Math.floor(Math.random() * data.markets.length)];
  // The price of one market is what is asked for most.
  const route = Math.random() < 0.5 ? "quote" : ROUTES[Math.floor(Math.random() * ROUTES.length)];
  const answer = http.get(URL + path(route, market), { tags: { name: route } });
  trends[route].add(answer.timings.duration);
  const gone = isGone(route, answer);
  if (gone) stale.add(1);
  if (answer.status === 429) limited.add(1);
  if (answer.status === 503 && !gone) unavailable.add(1);
  check(answer, {
    "200, or a price that is gone": () => answer.status === 200 || gone,
    "is what was asked for": () =>
      gone || (answer.status === 200 && isRight(route, market, answer)),
  });
}
