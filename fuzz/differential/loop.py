"""What the differential fuzzers share: our own answers, the time, the count, and making what differs small."""
import argparse
import json
import os
import pathlib
import random
import signal
import subprocess
import time

ROOT = pathlib.Path(__file__).parent.parent.parent
REFUSED = object()
# Longest that either side may take.
MOST_S = 20


class Late(Exception):
    pass


def late(*_):
    raise Late


class Ours:
    """`answer.rs` at work."""

    def __init__(self):
        self.process = None

    def __call__(self, question):
        if not self.process or self.process.poll() is not None:
            self.process = subprocess.Popen([os.environ.get("ANSWER", ROOT / "target/debug/examples/answer")], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.process.stdin.write(json.dumps(question).encode() + b"\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError("it has ended")
        answer = json.loads(line)
        return answer.get("answer", REFUSED)


def asked(reference, *question):
    """What the reference says, or that it refuses: whatever it does not live through counts as that."""
    signal.signal(signal.SIGALRM, late)
    signal.alarm(MOST_S)
    try:
        return reference(*question)
    except BaseException as error:  # noqa: BLE001: panics of Rust are no Exception.
        if isinstance(error, KeyboardInterrupt):
            raise
        return REFUSED
    finally:
        signal.alarm(0)


def smaller(case, parts, differs):
    """Leaves out what can be: `parts` gives all cases that are a little smaller."""
    shrunk = True
    while shrunk:
        shrunk = False
        for less in parts(case):
            if differs(less):
                case, shrunk = less, True
                break
    return case


def run(make, differs, parts, show):
    """`make` invents a case, `differs` says what is wrong with it (or nothing), `show` makes a line of JSON of it."""
    options = argparse.ArgumentParser()
    options.add_argument("--seconds", type=float, default=60)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--found", type=pathlib.Path, help="a file that what differs is added to, one case a line")
    options = options.parse_args()
    chance, end, counts, seen = random.Random(options.seed), time.monotonic() + options.seconds, {}, set()
    while time.monotonic() < end:
        case = make(chance)
        what = differs(case)
        counts[what or "wrong"] = counts.get(what or "wrong", 0) + 1
        if what in ("same", "its own", "refused by us", "refused by both", "refused there"):
            continue
        small = smaller(case, parts, lambda less: differs(less) == what)
        line = show(small)
        if line not in seen:
            seen.add(line)
            print(f"{what}: {line}", flush=True)
            if options.found:
                with options.found.open("a") as file:
                    file.write(line + "\n")
    print(sum(counts.values()), "cases:", json.dumps(counts), "seed", options.seed, flush=True)
