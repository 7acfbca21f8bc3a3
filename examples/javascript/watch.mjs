// Signs in with a key (a new one, or that of PRIVATE_KEY), reads a quote, follows its room.
//
//     node watch.mjs [URL [MARKET [UPDATES]]]
import { generatePrivateKey } from "viem/accounts";

import { Client } from "./client.mjs";

const [url = "http://127.0.0.1:8000", market = "BTC-USD", updates = "5"] = process.argv.slice(2);
const show = ({ seq, data }) => console.log(seq, data.bid, data.bid_venue, data.ask, data.ask_venue);

const client = new Client(url);
await client.login(process.env.PRIVATE_KEY ?? generatePrivateKey());
console.log("signed in as", (await client.session()).address);
show(await client.quote(market));

let left = Number(updates);
const end = client.stream([`price:${market}`], (envelope) => {
  show(envelope);
  left -= 1;
  if (left <= 0) end();
});
