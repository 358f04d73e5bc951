"""An ORC file's rows as an Arrow stream: a program of its own, which `zeroloop.tables.columnar` runs.

What decodes ORC follows damaged lengths out of its memory, which ends the process.

The file is standard input. A line of JSON goes to standard output, and then the stream, a batch for each stripe.
"""

from __future__ import annotations

import json
import sys

import pyarrow as pa
from pyarrow import orc


def main() -> None:
    """Read an ORC file from standard input, write its columns to standard output."""
    columns = json.loads(sys.argv[1])["columns"]
    found = orc.ORCFile(pa.PythonFile(sys.stdin.buffer, mode="r"))
    out = sys.stdout.buffer
    out.write(b'{"stripes": %d}\n' % found.nstripes)
    out.flush()
    writer = None
    for i in range(found.nstripes):
        batch = found.read_stripe(i, columns=columns)
        if set(batch.schema.names) != set(columns):  # a name with a point may also be that of a field in another
            batch = found.read_stripe(i)
        batch = batch.select(columns)
        batch.validate(full=True)
        if writer is None:
            writer = pa.ipc.new_stream(out, batch.schema)
        writer.write_batch(batch)
        out.flush()
    if writer is not None:
        writer.close()
    out.flush()


if __name__ == "__main__":
    try:
        main()
    except Exception as error:  # noqa: BLE001  the last line of what it says is why
        sys.exit(f"{type(error).__name__}: {(str(error).splitlines() or ['?'])[0]}")
