"""Signs in with a key (a new one, or that of PRIVATE_KEY), reads a quote, follows its room.

python watch.py [URL [MARKET [UPDATES]]]
"""

import asyncio
import os
import secrets
import sys

from perptape_client import Client, Quote


async def main(url: str, market: str, updates: int) -> None:
    async with Client(url) as client:
        await client.login(os.environ.get("PRIVATE_KEY", "0x" + secrets.token_hex(32)))
        print("signed in as", (await client.session())["address"])
        quote = await client.quote(market)
        print("now", quote.bid, quote.bid_venue, quote.ask, quote.ask_venue)
        async with client.stream(f"price:{market}") as envelopes:
            async for envelope in envelopes:
                quote = Quote.of(envelope)
                print(quote.seq, quote.bid, quote.bid_venue, quote.ask, quote.ask_venue, flush=True)
                updates -= 1
                if updates <= 0:
                    return


defaults = ("http://127.0.0.1:8000", "BTC-USD", "5")
url, market, updates = (*sys.argv[1:], *defaults[len(sys.argv) - 1 :])
asyncio.run(main(url, market, int(updates)))
