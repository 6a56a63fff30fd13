"""Live VWAP per symbol of what `feed-publisher --table` publishes: vwap.py [RING [ROOT]]"""

import sys

import numpy as np

import feed_ring

ring, root = (sys.argv[1:] + ["feed", "/dev/shm"][len(sys.argv) - 1 :])[:2]
subscriber = feed_ring.subscribe(ring, root=root, join="oldest", open_timeout=10)
table = feed_ring.open_table(f"{ring}.table", root=root, open_timeout=10)
value: dict[int, float] = {}
volume: dict[int, float] = {}
for batch in subscriber.batches(4096):
    trades = batch[batch["kind"] == ord("T")]
    for instrument in np.unique(trades["instrument"]):
        of = trades[trades["instrument"] == instrument]
        size = of["size"] * 1e-9
        value[instrument] = value.get(instrument, 0.0) + float((of["price"] * 1e-9 * size).sum())
        volume[instrument] = volume.get(instrument, 0.0) + float(size.sum())
        symbol = table.get(instrument)["symbol"].decode()
        print(f"{symbol} {value[instrument] / volume[instrument]:.6f} {volume[instrument]:.0f}", flush=True)
