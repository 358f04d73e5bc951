"""Every peer on every problem, a process each."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.environments import python_of
from benchmarks.peers import PEERS, WITH_EVERY_PEER
from benchmarks.problems import PROBLEMS

# Of a peer's process, importing, loading and judging included: long after zeroloop is done.
MOST_SECONDS = 10
MOST_SECONDS_OF_MAIN = 60  # of the defaults of those who take part everywhere


OUR_ACCURACY = 1e-6


def run_case(problem: str) -> list[dict[str, Any]]:
    """Return a row for each peer that takes part, zeroloop's first."""
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        PROBLEMS[problem]().save(Path(folder))
        for peer, tight in takers(problem):
            if tight and rows[-1].get("gradient_norm", 1.0) <= OUR_ACCURACY:
                continue  # its defaults are as exact
            print(f"{problem}: {peer}{', at our accuracy' if tight else ''} ...", flush=True)
            rows.append({"peer": peer, "tight": tight} | measure(folder, peer, tight))
    return rows


def takers(problem: str) -> Iterator[tuple[str, bool]]:
    """Yield (peer, whether it is asked for our accuracy) for each row of a case."""
    for name, peer in PEERS.items():
        if peer.everywhere or problem in WITH_EVERY_PEER:
            yield name, False
            if peer.tight is not None:
                yield name, True


def measure(folder: str, peer: str, tight: bool) -> dict[str, Any]:
    """Run one peer in a process of its own; why there is no result, where there is none."""
    command = [python_of(peer), "-m", "benchmarks.one", folder, peer, *(["--tight"] if tight else [])]
    main = not tight and peer in PEERS and PEERS[peer].everywhere
    most = MOST_SECONDS_OF_MAIN if main else MOST_SECONDS
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=most)
    except subprocess.TimeoutExpired:
        return {"stopped": f"not done within {most} s"}
    if done.returncode != 0:
        return {"stopped": done.stderr.strip().splitlines()[-1][:120]}
    return dict(json.loads(done.stdout.splitlines()[-1]))
