"""Prints what pyarrow and pandas read from an Arrow stream or a Parquet file of the API, as the API's NDJSON says it.

`read_tables.py ENGINE FILE`: first the columns as `column <name> <type>` and the schema's metadata as `about <key> <value>`,
then every sample as `<source ticks>+<10 ps> <server ticks>+<10 ps> <status> <value>`. A time is `-` when it is absent, a
double is shown by its bits.
"""

import struct
import sys

EPOCH_TICKS = 116_444_736_000_000_000
VALUES = ["value", "f64", "i64", "u64", "string", "binary"]


def time(micros, sub, ticks):
    sub = int(sub or 0)
    if micros is not None:
        return f"{int(micros) * 10 + sub // 10_000 + EPOCH_TICKS}+{sub % 10_000}"
    return "-" if ticks is None else f"{int(ticks)}+{sub}"


def text(value):
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return struct.pack(">d", value).hex()
    if isinstance(value, bytes):
        return value.hex()
    return "-" if value is None else str(value)


def show(rows):
    for row in rows:
        source = time(row["source_ts"], row["source_sub"], row["source_ticks"])
        server = time(row["server_ts"], row["server_sub"], row["server_ticks"])
        found = [row[name] for name in VALUES if row.get(name) is not None]
        assert len(found) <= 1, row
        assert (row["received"] is not None) == (source == "-" and server == "-"), row
        print(f"{source} {server} {row['status']} {text(found[0] if found else None)}")


def table(path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    if path.endswith(".parquet"):
        return pq.read_table(path)
    with pa.ipc.open_stream(path) as reader:
        return reader.read_all()


def pyarrow_reads(path):
    import pyarrow as pa

    found = table(path)
    for field in found.schema:
        print(f"column {field.name} {field.type}")
    for key, value in sorted((found.schema.metadata or {}).items()):
        print(f"about {key.decode()} {value.decode()}")
    for name in ("source_ts", "server_ts"):
        found = found.set_column(found.schema.get_field_index(name), name, found[name].cast(pa.int64()))
    show(found.to_pylist())


def pandas_reads(path):
    import pandas as pd

    frame = pd.read_parquet(path, dtype_backend="pyarrow") if path.endswith(".parquet") else table(path).to_pandas(types_mapper=pd.ArrowDtype)
    for name, kind in frame.dtypes.items():
        print(f"column {name} {str(kind).removesuffix('[pyarrow]')}")
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    for row in rows:
        for name in ("source_ts", "server_ts"):
            if row[name] is not None:
                row[name] = row[name].as_unit("us").asm8.view("int64")
    show(rows)


if __name__ == "__main__":
    {"pyarrow": pyarrow_reads, "pandas": pandas_reads}[sys.argv[1]](sys.argv[2])
