"""What trading on a GMX pool costs, computed as its contracts do. Pure; integers only."""
