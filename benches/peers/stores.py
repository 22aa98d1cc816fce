"""Other people's stores take in the samples of a historian's folder, in order of time, in batches of 5,000, each
batch durable before the next. One JSON line a store: {"store", "samples", "cpuSecondsPerMillion", "bytesPerSample",
"day", "buckets", "last"}; the last three are milliseconds (median of 7, result fetched).
python stores.py FOLDER SCRATCH [postgresql|influxdb|duckdb …]"""
import http.client
import io
import json
import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.parse

import pyarrow as pa
import pyarrow.dataset as ds

BATCH = 5_000
DAY = 86_400_000_000
BUCKETS = 1_000


def samples(folder):
    """Series, microseconds, values; by time."""
    table = ds.dataset(str(folder / "v1/samples"), partitioning="hive").to_table(columns=["series", "source_ts", "f64"])
    table = table.sort_by([("source_ts", "ascending"), ("series", "ascending")])
    stamps = table["source_ts"].cast(pa.int64())
    return pa.table({"series": table["series"].cast(pa.int64()), "ts": stamps, "value": table["f64"]})


def cpu(pid):
    """Seconds of a process, its threads, and the children that live or that it waited for."""
    total, pids = 0.0, [pid]
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            pids.append(int(stat.parent.name))
    for one in pids:
        try:
            fields = pathlib.Path(f"/proc/{one}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        total += (int(fields[11]) + int(fields[12])) / 100
        if one == pid:
            total += (int(fields[13]) + int(fields[14])) / 100
    return total


def size(folder):
    return sum(path.stat().st_size for path in pathlib.Path(folder).rglob("*") if path.is_file())


def median(run):
    times = []
    for _ in range(8):
        start = time.perf_counter()
        run()
        times.append((time.perf_counter() - start) * 1e3)
    return round(statistics.median(times[1:]), 2)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def until(what, check, limit=60):
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if check():
            return
        time.sleep(0.1)
    raise SystemExit(f"waited in vain for {what}")


def batches(table):
    for first in range(0, table.num_rows, BATCH):
        yield table.slice(first, BATCH)


def report(store, table, used, bytes_used, reads):
    print(json.dumps({
        "store": store, "samples": table.num_rows,
        "cpuSecondsPerMillion": round(used / table.num_rows * 1e6, 3),
        "bytesPerSample": round(bytes_used / table.num_rows, 2), **reads,
    }), flush=True)


def postgresql(table, scratch, fast, start, end):
    binaries = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))
    if not binaries:
        return print("postgresql is not installed", file=sys.stderr)
    data, port = scratch / "pg", free_port()
    data.mkdir(parents=True)
    os.chmod(scratch, 0o755)
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if as_user:
        shutil.chown(data, "postgres")
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run([*as_user, binaries[-1] / "initdb", "-D", data, "-A", "trust", "-U", "bench"], check=True, **quiet)
    # Directly, without the shell of runuser's child in between being the one that is measured.
    server = subprocess.Popen(
        [*as_user, binaries[-1] / "postgres", "-D", data, "-p", str(port), "-k", data, "-c", "listen_addresses=127.0.0.1",
         "-c", "shared_buffers=1GB", "-c", "max_wal_size=4GB"], **quiet)
    psql = [binaries[-1] / "psql", "-h", "127.0.0.1", "-p", str(port), "-U", "bench", "-d", "postgres", "-qAt"]
    try:
        until("postgresql", lambda: subprocess.run([*psql, "-c", "select 1"], **quiet).returncode == 0)
        main = int((data / "postmaster.pid").read_text().split()[0])
        client = subprocess.Popen([*psql, "-f", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

        def ask(text):
            client.stdin.write(text + "\n\\echo done\n")
            client.stdin.flush()
            lines = []
            while (line := client.stdout.readline()) and line != "done\n":
                lines.append(line)
            return lines

        ask("create table samples (series int8, ts int8, value float8); create index on samples (series, ts);")
        before = cpu(main)
        for batch in batches(table):
            rows = zip(*(column.to_pylist() for column in batch.columns))
            text = io.StringIO()
            for series, stamp, value in rows:
                text.write(f"{series}\t{stamp}\t{value}\n")
            ask("copy samples from stdin;\n" + text.getvalue() + "\\.")
        used = cpu(main) - before
        ask("vacuum analyze samples;")
        total = int(ask("select pg_total_relation_size('samples');")[0])
        width = (end - start) // BUCKETS
        middle = start + (end - start) // 2 // DAY * DAY
        reads = {
            "day": median(lambda: ask(f"select ts, value from samples where series = {fast} and ts >= {middle} and ts < {middle + DAY} order by ts;")),
            "buckets": median(lambda: ask(f"select (ts - {start}) / {width}, min(value), max(value), avg(value) from samples where series = {fast} group by 1;")),
            "last": median(lambda: ask(
                "select s.series, l.value from (select generate_series(1, 10000) as series) s,"
                " lateral (select value from samples where samples.series = s.series order by ts desc limit 1) l;")),
        }
        client.stdin.close()
        client.wait()
        report("PostgreSQL, COPY, btree(series, ts)", table, used, total, reads)
    finally:
        server.terminate()
        server.wait()


def influxdb(table, scratch, fast, start, end):
    program = shutil.which("influxd")
    if program is None:
        return print("influxdb is not installed", file=sys.stderr)
    home, port, rpc = scratch / "influx", free_port(), free_port()
    home.mkdir(parents=True)
    (home / "influx.conf").write_text(f"""
reporting-disabled = true
bind-address = "127.0.0.1:{rpc}"
[meta]
  dir = "{home}/meta"
[data]
  dir = "{home}/data"
  wal-dir = "{home}/wal"
  series-id-set-cache-size = 100
[http]
  bind-address = "127.0.0.1:{port}"
  log-enabled = false
[monitor]
  store-enabled = false
""")
    server = subprocess.Popen([program, "-config", home / "influx.conf"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        def post(path, body=b""):
            link = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
            link.request("POST", path, body)
            answer = link.getresponse()
            return answer.status, answer.read()

        def ready():
            try:
                return post("/query?q=" + urllib.parse.quote("CREATE DATABASE bench"))[0] == 200
            except OSError:
                return False

        until("influxdb", ready)

        def ask(text):
            status, body = post("/query?db=bench&epoch=u&q=" + urllib.parse.quote(text))
            assert status == 200, body
            return body

        before = cpu(server.pid)
        for batch in batches(table):
            rows = zip(*(column.to_pylist() for column in batch.columns))
            body = "\n".join(f"v,s={series} v={value} {stamp}" for series, stamp, value in rows)
            status, text = post("/write?db=bench&precision=u", body.encode())
            assert status == 204, text
        used = cpu(server.pid) - before
        width = (end - start) // BUCKETS
        middle = start + (end - start) // 2 // DAY * DAY
        reads = {
            "day": median(lambda: ask(f"SELECT v FROM v WHERE s = '{fast}' AND time >= {middle}u AND time < {middle + DAY}u")),
            "buckets": median(lambda: ask(
                f"SELECT min(v), max(v), mean(v) FROM v WHERE s = '{fast}' AND time >= {start}u AND time < {end}u GROUP BY time({width}u)")),
            "last": median(lambda: ask("SELECT last(v) FROM v GROUP BY s")),
        }
        report("InfluxDB 1.6, line protocol", table, used, size(home / "data") + size(home / "wal"), reads)
    finally:
        server.terminate()
        server.wait()


def duckdb(table, scratch, fast, start, end):
    import duckdb as duck
    path = scratch / "duck.db"
    base = duck.connect(str(path))
    base.execute("create table samples (series bigint, ts bigint, value double)")
    before = time.process_time()
    for batch in batches(table):
        base.execute("insert into samples select * from batch")
    used = time.process_time() - before
    base.execute("checkpoint")
    width = (end - start) // BUCKETS
    middle = start + (end - start) // 2 // DAY * DAY
    reads = {
        "day": median(lambda: base.execute(f"select ts, value from samples where series = {fast} and ts >= {middle} and ts < {middle + DAY} order by ts").fetchall()),
        "buckets": median(lambda: base.execute(f"select (ts - {start}) // {width}, min(value), max(value), avg(value) from samples where series = {fast} group by 1").fetchall()),
        "last": median(lambda: base.execute("select series, arg_max(value, ts) from samples group by 1").fetchall()),
    }
    base.close()
    report("DuckDB, Arrow batches", table, used, path.stat().st_size, reads)


def main():
    folder, scratch = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    table = samples(folder)
    start = int(table["ts"][0].as_py()) // DAY * DAY
    end = (int(table["ts"][-1].as_py()) // DAY + 1) * DAY
    counts = table.group_by("series").aggregate([("value", "count")]).sort_by([("value_count", "descending")])
    fast = counts["series"][0].as_py()
    for name in sys.argv[3:] or ["postgresql", "influxdb", "duckdb"]:
        {"postgresql": postgresql, "influxdb": influxdb, "duckdb": duckdb}[name](table, scratch, fast, start, end)


main()
