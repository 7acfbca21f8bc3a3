"""How fast the feed is, venue by venue: frames through session, state and touch against the bare
decoding of the same frames. Each venue's script also runs alone."""

from benchmarks import feed_dydx, feed_gains, feed_gmx


def main() -> None:
    for venue in (feed_dydx, feed_gmx, feed_gains):
        venue.main()


if __name__ == "__main__":
    main()
