"""Prints what DuckDB, pyarrow and pandas read from a historian's folder.

For each engine: `engine <name>`, the columns as `column <name> <type>`, then every sample as
`<series> <source ticks>+<10 ps> <server ticks>+<10 ps> <status> <type> <value>`, sorted. Numbers are exact: a double is
shown by its bits. Then for each series its name, as the engine joins it.
"""

import struct
import sys

EPOCH_TICKS = 116_444_736_000_000_000
COLUMNS = [
    "series", "source_ts", "source_sub", "source_ticks", "server_ts", "server_sub", "server_ticks", "server_delay",
    "status", "type", "f64", "i64", "u64", "string", "binary",
]


def time(micros, sub, ticks):
    """Ticks and what is below, of the three columns of a timestamp."""
    sub = int(sub or 0)
    if micros is not None:
        return f"{int(micros) * 10 + sub // 10_000 + EPOCH_TICKS}+{sub % 10_000}"
    return "-" if ticks is None else f"{int(ticks)}+{sub}"


def value(row):
    if row["f64"] is not None:
        return struct.pack(">d", row["f64"]).hex()
    for name in ("i64", "u64"):
        if row[name] is not None:
            return str(int(row[name]))
    if row["string"] is not None:
        return repr(row["string"].encode().hex())
    return "-" if row["binary"] is None else bytes(row["binary"]).hex()


def show(rows):
    lines = []
    for row in rows:
        source = time(row["source_ts"], row["source_sub"], row["source_ticks"])
        server = time(row["server_ts"], row["server_sub"], row["server_ticks"])
        if row["server_delay"] is not None:
            ticks = int(source.split("+")[0]) + int(row["server_delay"])
            server = f"{ticks}+{int(row['server_sub'] or 0)}"
        lines.append(f"{row['series']} {source} {server} {row['status']} {row['type']} {value(row)}")
    print("\n".join(sorted(lines)))


def duckdb_reads(root):
    import duckdb

    samples = f"read_parquet('{root}/samples/*/*.parquet')"
    for name, kind in duckdb.sql(f"SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM {samples})").fetchall():
        print(f"column {name} {kind}")
    times = {name: f"epoch_us({name})" for name in ("source_ts", "server_ts")}
    selected = ", ".join(times.get(name, f'"{name}"') for name in COLUMNS)
    show(dict(zip(COLUMNS, row)) for row in duckdb.sql(f"SELECT {selected} FROM {samples}").fetchall())
    names = f"SELECT series, name FROM read_parquet('{root}/series/*.parquet') ORDER BY series"
    for series, name in duckdb.sql(names).fetchall():
        print(f"name {series} {name}")


def pyarrow_reads(root):
    import pyarrow as pa
    import pyarrow.dataset as ds

    table = ds.dataset(f"{root}/samples", partitioning="hive").to_table()
    for field in table.schema:
        print(f"column {field.name} {field.type}")
    for name in ("source_ts", "server_ts"):
        table = table.set_column(table.schema.get_field_index(name), name, table[name].cast(pa.int64()))
    show(table.select(COLUMNS).to_pylist())
    for row in ds.dataset(f"{root}/series").to_table().sort_by("series").to_pylist():
        print(f"name {row['series']} {row['name']}")


def pandas_reads(root):
    import pandas as pd

    # Arrow's columns, because numpy's make floats of integers where something is missing, and take NaN for missing.
    table = pd.read_parquet(f"{root}/samples", dtype_backend="pyarrow")
    for name, kind in table.dtypes.items():
        print(f"column {name} {kind}")
    rows = table[COLUMNS].astype(object).where(table[COLUMNS].notna(), None).to_dict("records")
    for row in rows:
        for name in ("source_ts", "server_ts"):
            if row[name] is not None:
                row[name] = row[name].as_unit("us").asm8.view("int64")
    show(rows)
    for row in pd.read_parquet(f"{root}/series").sort_values("series").to_dict("records"):
        print(f"name {row['series']} {row['name']}")


if __name__ == "__main__":
    engines = {"duckdb": duckdb_reads, "pyarrow": pyarrow_reads, "pandas": pandas_reads}
    for engine, reads in engines.items():
        print(f"engine {engine}")
        reads(sys.argv[1])
