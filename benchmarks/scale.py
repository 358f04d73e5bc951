"""A pass on clusters larger than any here: constants measured on this machine, a formula, and a simulation of it.

The simulation follows every message of a pass: the scheduler, one thread, hands out a task a worker, each takes its
time, sixteen sums at a time are added by whoever is told to, and one comes back. Its latencies and the spread of its
tasks' times are drawn from those measured.
"""

from __future__ import annotations

import heapq
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks.cluster import dask_cluster
from zeroloop.kernels import statistics
from zeroloop.prepared import prepare_table
from zeroloop.resources import Resources
from zeroloop.sources.dask import FAN_IN
from zeroloop.sources.memory import stacked

BANDWIDTH = 1.25e9  # bytes a second of a machine's link: 10 Gbit/s
NETWORK = 2e-4  # seconds that a message takes between two machines of a data centre, on top of what it takes here
TASKS, ROUND_TRIPS, PASSES = 400, 100, 20
WORKERS = (10, 100, 1_000, 10_000)
THREADS = 16  # of a worker on paper

Figures = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Constants:
    """What a pass is made of, each measured here.

    Attributes:
        row: seconds that a core takes for a row of a gradient pass, its columns apart.
        value: for each float32 of a row.
        pair: for each pair of columns of a row, in a pass with the Hessian.
        task: of the scheduler, for a task handed out and its end noted.
        hop: from a task's being asked for to its being done, on an idle cluster.
        task_bytes: on the wire for a task, coefficients and sums apart.
        coef_bytes: for each coefficient of a task, out and back.

    """

    row: float
    value: float
    pair: float
    task: float
    hop: float
    task_bytes: float
    coef_bytes: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """What a pass is over, and by how many workers of how many threads."""

    rows: float
    columns: int
    workers: int
    threads: int = THREADS
    hessian: bool = False

    @property
    def sum_bytes(self) -> float:
        """Bytes of one sum."""
        return 8.0 * (self.columns + 1) ** (2 if self.hessian else 1)

    def seconds_a_thread(self, at: Constants) -> float:
        """Return the seconds of arithmetic of each thread."""
        pairs = self.columns**2 / 2 if self.hessian else 0
        return self.rows / self.workers / self.threads * (at.row + at.value * self.columns + at.pair * pairs)


def paper(size: Size, at: Constants, spread: NDArray[np.float64]) -> float:
    """Return the seconds of a pass: that of the slowest worker, and no two of its parts overlap, so a little too much.

    `spread` has times of equal tasks, over their mean.
    """
    slowest = float(np.quantile(spread, size.workers / (size.workers + 1)))
    tasks = size.workers * (1 + 1 / (FAN_IN - 1))
    levels = math.ceil(math.log(size.workers, FAN_IN)) if size.workers > 1 else 0
    handed_out = tasks * (at.task + (at.task_bytes + at.coef_bytes / 2 * (size.columns + 1)) / BANDWIDTH)
    added = levels * (at.hop + NETWORK + FAN_IN * size.sum_bytes / BANDWIDTH)
    return handed_out + slowest * size.seconds_a_thread(at) + added + 2 * (at.hop + NETWORK)


def wire_bytes(size: Size, at: Constants) -> float:
    """Return the bytes that all machines send in a pass."""
    tasks = size.workers * (1 + 1 / (FAN_IN - 1))
    coefs = size.workers * at.coef_bytes / 2 * (size.columns + 1)
    return tasks * at.task_bytes + coefs + size.workers * at.coef_bytes / 2 * size.sum_bytes / 8


def simulated(size: Size, at: Constants, hops: NDArray[np.float64], spread: NDArray[np.float64], seed: int) -> float:
    """Return the seconds of one pass, message by message.

    Args:
        size: of the pass.
        at: constants.
        hops: latencies measured, to draw from.
        spread: times of equal tasks measured, over their mean, likewise.
        seed: of what is drawn.

    """
    rng = np.random.default_rng(seed)
    work = size.seconds_a_thread(at) * rng.choice(spread, size.workers)
    latency = rng.choice(hops, 4 * size.workers + 100) + NETWORK
    drawn = count()
    handed_out = at.task / 2 + (at.task_bytes + at.coef_bytes / 2 * (size.columns + 1)) / BANDWIDTH
    noted = at.task / 2
    free = 0.0  # when the scheduler is
    events: list[tuple[float, int, int]] = []  # (time, level, index) of a sum that is ready
    order = count()
    queue: list[tuple[float, int, int, int]] = []
    for i in range(size.workers):
        free += handed_out
        heapq.heappush(queue, (free + latency[next(drawn)] / 2 + work[i], next(order), 0, i))
    counts = [size.workers]
    while counts[-1] > 1:
        counts.append(math.ceil(counts[-1] / FAN_IN))
    waiting: dict[tuple[int, int], int] = {}
    while queue:
        ready, _, level, i = heapq.heappop(queue)
        free = max(free, ready + latency[next(drawn)] / 2) + noted
        events.append((free, level, i))
        if level + 1 == len(counts):
            return float(free + latency[next(drawn)] + size.sum_bytes / BANDWIDTH)
        group = (level + 1, i // FAN_IN)
        members = min(FAN_IN, counts[level] - group[1] * FAN_IN)
        waiting[group] = waiting.get(group, 0) + 1
        if waiting[group] == members:
            free += handed_out
            fetched = latency[next(drawn)] + (members - 1) * size.sum_bytes / BANDWIDTH
            heapq.heappush(queue, (free + latency[next(drawn)] / 2 + fetched, next(order), *group))
    raise AssertionError("the last sum never came")


def scale() -> Figures:
    """Return the constants, the formula against real passes, and against the simulation."""
    at, hops, spread, real = measured()
    sizes = [Size(rows=1e8 * workers, columns=20, workers=workers) for workers in WORKERS]
    sizes += [Size(rows=1e7 * workers, columns=500, workers=workers) for workers in WORKERS]
    sizes += [Size(rows=1e7 * workers, columns=500, workers=workers, hessian=True) for workers in WORKERS]
    rows = [
        {
            **asdict(size),
            "paper": paper(size, at, spread),
            "simulated": float(np.median([simulated(size, at, hops, spread, seed) for seed in range(5)])),
            "bytes": wire_bytes(size, at),
        }
        for size in sizes
    ]
    latencies = {
        "hops": np.percentile(hops, [5, 50, 95]).tolist(),
        "spread": np.percentile(spread, [5, 50, 95]).tolist(),
    }
    return {"constants": asdict(at), **latencies, "real": real, "rows": rows}


def measured() -> tuple[Constants, NDArray[np.float64], NDArray[np.float64], list[Figures]]:
    """Return the constants, latencies, spread of tasks' times, and some real passes."""
    row, value, pair = _arithmetic()
    with dask_cluster(2) as address, TemporaryDirectory() as place:
        from distributed import Client

        with Client(address, set_as_default=False) as client:
            ask = partial(client.submit, _nothing, 0, pure=False)
            client.gather([ask() for _ in range(20)])  # the first ones import and connect
            hops = np.array([_timed(lambda: ask().result()) for _ in range(ROUND_TRIPS)])
            before = client.run_on_scheduler(time.process_time)
            client.gather(client.map(_nothing, range(TASKS), pure=False))
            task = (client.run_on_scheduler(time.process_time) - before) / TASKS
            for process in (client.run, client.run_on_scheduler):
                process(count_bytes)
            count_bytes()

            def sent() -> int:
                return sum([*client.run(n_bytes).values(), client.run_on_scheduler(n_bytes), n_bytes()])

            found: dict[tuple[int, int], Figures] = {}
            for rows, columns in ((2**18, 20), (2**20, 20), (2**22, 20), (2**18, 200)):
                source, one_pass = gradient_of(made(Path(place), rows, columns), client)
                for _ in range(3):
                    source.reduce(one_pass)
                start = sent()
                seconds: list[float] = []
                spent: list[float] = []
                for _ in range(PASSES):
                    seconds.append(_timed(partial(source.reduce, one_pass)))
                    spent += list(source.partitions.seconds.values())
                found[rows, columns] = {
                    "rows": rows,
                    "columns": columns,
                    "seconds": float(np.median(seconds)),
                    "bytes": (sent() - start) / PASSES,
                    "spent": spent,
                }
    few, wide = found[2**18, 20]["bytes"], found[2**18, 200]["bytes"]
    coef_bytes = (wide - few) / 180 / 2
    task_bytes = (few - 2 * 21 * coef_bytes) / 3  # a task a worker, and one that adds
    at = Constants(
        row=row,
        value=value,
        pair=pair,
        task=task,
        hop=float(np.median(hops)),
        task_bytes=task_bytes,
        coef_bytes=coef_bytes,
    )
    times = np.array(found[2**22, 20]["spent"])
    spread = times / np.mean(times)
    real = []
    for (rows, columns), figures in found.items():
        del figures["spent"]
        real.append(figures | {"paper": paper(Size(rows=rows, columns=columns, workers=2, threads=1), at, spread)})
    return at, hops, spread, real


def _arithmetic() -> tuple[float, float, float]:
    """Return the seconds of a core for a row, for a value of it, and for a pair of its columns."""
    rng = np.random.default_rng(0)

    def seconds(rows: int, columns: int, order: int) -> float:
        X = rng.standard_normal((columns, rows), dtype=np.float32)
        source = stacked(X, (rng.random(rows) < 0.5).astype(np.float32), threads=1)
        sums = statistics.sums
        one = partial(sums, coef=np.full((1, columns + 1), 0.01), centre=np.zeros(columns), order=order)
        source.reduce(one)
        return min(_timed(lambda: source.reduce(one)) for _ in range(5)) / rows

    narrow, wide = seconds(2**21, 10, 1), seconds(2**19, 100, 1)
    value = (wide - narrow) / 90
    pair = (seconds(2**17, 100, 2) - wide) / (100**2 / 2)
    return max(narrow - 10 * value, 0.0), value, pair


def made(folder: Path, rows: int, columns: int) -> str:
    """Return a folder of eight Parquet files of float32 columns and a label, below another."""
    path = folder / f"{rows}-{columns}"
    path.mkdir()
    rng = np.random.default_rng(0)
    for i in range(8):
        X = rng.standard_normal((columns, rows // 8), dtype=np.float32)
        table = pa.table({f"x{j}": X[j] for j in range(columns)} | {"y": rng.integers(0, 2, rows // 8)})
        pq.write_table(table, path / f"{i}.parquet")
    return str(path)


def gradient_of(path: str, client: Any) -> tuple[Any, Any]:
    """Return the training rows of a table on a cluster, and a pass for their gradient."""
    how: dict[str, Any] = {"positive": None, "features": None, "drop": [], "categorical": [], "weights": None}
    how |= {"missing": "impute", "test_fraction": 0.0, "seed": 0, "reference": False}
    source: Any = prepare_table(path, "y", **how, resources=Resources(scheduler=client)).training
    sums, n_coefs = statistics.sums, source.n_coefs
    return source, partial(sums, coef=np.zeros((1, n_coefs)), centre=np.zeros(source.n_numeric), order=1)


def count_bytes() -> None:
    """Have this process count what it writes to other processes of a cluster."""
    from distributed.comm import tcp

    if not hasattr(tcp, "n_written"):
        tcp.n_written = 0
        write = tcp.TCP.write

        async def counted(self: Any, *arguments: Any, **options: Any) -> Any:
            n = await write(self, *arguments, **options)
            tcp.n_written += n
            return n

        tcp.TCP.write = counted


def n_bytes() -> int:
    """Return what `count_bytes` has counted."""
    from distributed.comm import tcp

    return tcp.n_written  # type: ignore[no-any-return]


def _nothing(_: int) -> None:
    return None


def _timed(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def scale_page(figures: Figures) -> str:
    """Return the section on clusters larger than any here."""
    at, hops = figures["constants"], figures["hops"]
    lines = [
        "## A pass on larger clusters\n",
        f"Measured here: {at['row'] * 1e9:.1f} ns a row and {at['value'] * 1e9:.2f} ns a value of it on a core, "
        f"{at['pair'] * 1e9:.3f} ns a pair of columns in a Hessian; the scheduler {at['task'] * 1e3:.2f} ms a task; "
        f"from asking for a task to its end {hops[1] * 1e3:.0f} ms ({hops[0] * 1e3:.0f} to {hops[2] * 1e3:.0f}); "
        f"{at['task_bytes'] / 1e3:.1f} KB a task and {at['coef_bytes']:.0f} bytes a coefficient of each task, out and "
        f"back. Assumed: links of {BANDWIDTH * 8 / 1e9:.0f} Gbit/s, {NETWORK * 1e3:.1f} ms between machines.\n",
        "Two workers here, a thread each, on the two cores that the scheduler and the driver use too:\n",
        "| rows x columns | a pass | by the formula | bytes on the wire | the rows' own bytes |",
        "|---|---|---|---|---|",
    ]
    for row in figures["real"]:
        own = row["rows"] * row["columns"] * 4
        lines.append(
            f"| {row['rows']:,} x {row['columns']} | {row['seconds'] * 1e3:.0f} ms | {row['paper'] * 1e3:.0f} ms | "
            f"{row['bytes'] / 1e3:,.0f} KB | {own / 1e6:,.0f} MB |"
        )
    lines += [
        "\nOn paper, and as simulated message by message with the latencies measured:\n",
        f"| workers of {THREADS} threads | rows | columns | pass | by the formula | simulated | "
        "of it arithmetic | bytes on the wire |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in figures["rows"]:
        size = Size(
            rows=row["rows"],
            columns=row["columns"],
            workers=row["workers"],
            threads=row["threads"],
            hessian=row["hessian"],
        )
        arithmetic = size.seconds_a_thread(Constants(**at))
        what = "Hessian" if size.hessian else "gradient"
        lines.append(
            f"| {row['workers']:,} | {row['rows']:.0e} | {row['columns']} | {what} | {row['paper']:.2f} s | "
            f"{row['simulated']:.2f} s | {arithmetic:.2f} s | {row['bytes'] / 1e6:,.1f} MB |"
        )
    return "\n".join(lines) + "\n"


def cluster_page(figures: Figures) -> str:
    """Return the section on a cluster of two workers."""
    names = {
        "here": "zeroloop, files, one process",
        "cluster": "zeroloop, two Dask workers",
        "dask-ml": "dask-ml 'lbfgs', the same workers",
        "spark": "Spark MLlib, `local[2]`",
    }
    best = min(figures[name]["objective"] for name in names)
    lines = [
        "## A Dask cluster on the same two cores\n",
        "10,000,000 x 20 float32 in 40 Parquet files, C = 1, from the files to the coefficients; medians of 5 by "
        "turns, of the peers the faster of two. The objective is the mean one.\n",
        "| | seconds | over one process | objective above the best | max abs gradient |",
        "|---|---|---|---|---|",
    ]
    for name, title in names.items():
        row = figures[name]
        lines.append(
            f"| {title} | {row['seconds']:.2f} | **{row['seconds'] / figures['here']['seconds']:.2f}x** | "
            f"{row['objective'] - best:.0e} | {row['gradient_norm']:.0e} |"
        )
    same = "the same" if figures["same_bits"] else "not the same"
    lines.append(f"\nThe coefficients of the first two have {same} bits.\n")
    return "\n".join(lines) + "\n"
