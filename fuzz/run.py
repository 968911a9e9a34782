#!/usr/bin/env python3
"""Fuzzes one target for some time, and says how much was done.

    python3 fuzz/run.py TARGET [--seconds 1200] [--grown FOLDER]
"""
import argparse
import pathlib
import re
import subprocess
import tempfile

HERE = pathlib.Path(__file__).parent
# Longest input, and the longest that one may take, in seconds: what is bounded is bounded at some.
LENGTHS = {"gguf": 4096, "safetensors": 4096, "tokenizer": 16384, "config": 8192, "metadata": 8192, "pattern": 512, "precompiled": 4096, "template": 4096}
MOST_S = 30


def main():
    options = argparse.ArgumentParser()
    options.add_argument("target", choices=LENGTHS)
    options.add_argument("--seconds", type=int, default=1200)
    options.add_argument("--grown", type=pathlib.Path, help="what reaches new code goes here")
    options = options.parse_args()
    grown = options.grown or pathlib.Path(tempfile.mkdtemp())
    grown.mkdir(parents=True, exist_ok=True)
    dictionary = HERE / f"{options.target}.dict"
    arguments = [f"-max_total_time={options.seconds}", f"-max_len={LENGTHS[options.target]}", f"-timeout={MOST_S}", "-print_final_stats=1", "-print_funcs=0", "-rss_limit_mb=4096"]
    arguments += [f"-dict={dictionary}"] if dictionary.exists() else []
    command = ["cargo", "+nightly", "fuzz", "run", options.target, str(grown), str(HERE / "corpus" / options.target), "--", *arguments]
    done = subprocess.run(command, cwd=HERE.parent, stderr=subprocess.PIPE, text=True, errors="replace")
    print(done.stderr[-3000:])
    number = re.findall(r"number_of_executed_units: (\d+)|^#(\d+)", done.stderr, re.M)
    seconds = re.findall(r"Done \d+ runs in (\d+)", done.stderr)
    print(f"{options.target}: {max(int(a or b) for a, b in number) if number else 0} executions, {seconds} s, status {done.returncode}, grown in {grown}")


main()
