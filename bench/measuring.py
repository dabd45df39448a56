"""What the measurements share: running and timing programs, tables of medians, contests, and the file they leave."""
import contextlib
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
FNPACK = TARGET / "release/fnpack"


def run(command):
    """Runs a program; gives seconds and peak memory in MiB of the process itself.

    What wait4 tells counts the children too (a compiler among them), so the kernel's mark of the process is read
    while it runs."""
    peak = [0]
    start = time.perf_counter()
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    watching = threading.Thread(target=watch_memory, args=(process.pid, peak), daemon=True)
    watching.start()
    errors = process.stderr.read()
    status = process.wait()
    taken = time.perf_counter() - start
    watching.join()
    if status != 0:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{errors.decode(errors='replace')}")
    return taken, peak[0] / 1024


def seconds(command):
    """Runs a program and gives the seconds alone."""
    return run(command)[0]


def watch_memory(pid, peak):
    """Keeps the highest `VmHWM` (KiB) seen, until the process is gone."""
    status = pathlib.Path(f"/proc/{pid}/status")
    while True:
        try:
            found = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        except OSError:
            return
        if not found:
            return
        peak[0] = max(peak[0], int(found[0].split()[1]))
        time.sleep(0.02)


class Table:
    """The rows of a run: printed as they come, saved at the end."""

    def __init__(self):
        self.rows = []

    def add(self, case, values, unit="ms", goal=None, peer=None):
        """A row of medians. `goal` is the most it may be; `peer` what pack took for the same."""
        scale = 1000 if unit == "ms" else 1
        median, least = statistics.median(values) * scale, min(values) * scale
        self.rows.append({"case": case, "median": median, "min": least, "unit": unit, "rounds": len(values), "goal": goal, "peer": peer})
        text = f"{case:44} {median:10.1f} {unit:5} [{least:.1f}]"
        if goal is not None:
            text += f"  goal {goal:g}: {verdict(median <= goal)}"
        if peer is not None:
            text += f"  pack {peer:g} {unit}: {peer / median:.1f}x"
        print(text, flush=True)

    def add_ratio(self, case, times, goal):
        """How many times as fast as somebody else it is; `goal` is the least it may be."""
        self.rows.append({"case": case, "times": times, "goal": goal})
        print(f"{case:60} {times:6.2f} x  goal {goal:.2g}: {verdict(times >= goal)}", flush=True)

    def contest(self, case, contestants, rounds, goals):
        """Lets contestants run in turn, so that what else the machine does meets all of them.

        `contestants` are functions by name that give seconds; `goals` are (name, name of the other, how many times
        as fast)."""
        taken = {name: [] for name in contestants}
        names = list(contestants)
        for number in range(rounds):
            shift = number % len(names)
            for name in names[shift:] + names[:shift]:
                taken[name].append(contestants[name]())
        for name in names:
            self.add(f"{case}: {name}", taken[name])
        for name, other, goal in goals:
            self.add_ratio(f"{case}: {name} to {other}", statistics.median(taken[other]) / statistics.median(taken[name]), goal)

    def missed(self):
        """Cases that do not reach their goal."""
        return [row["case"] for row in self.rows if row["goal"] is not None and not reached(row)]


def reached(row):
    return row["times"] >= row["goal"] if "times" in row else row["median"] <= row["goal"]


def verdict(met):
    return "met" if met else "MISSED"


@contextlib.contextmanager
def quiet_exit():
    """Ends without a trace of calls when the user interrupts; scratch folders and servers end with their blocks."""
    try:
        yield
    except KeyboardInterrupt:
        sys.exit(130)


def machine():
    """What figures depend on, the load by others among it."""
    return {"kernel": platform.release(), "cores": os.cpu_count(), "load": list(os.getloadavg())}


def save(path, before, table):
    path.write_text(json.dumps({**before, "load_after": list(os.getloadavg()), "rows": table.rows}, indent=1) + "\n")
