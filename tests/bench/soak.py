#!/usr/bin/env python3
"""A room for ten minutes: does the music change, do songs rest, does memory stay flat, is the log clean?

    tests/bench/soak.py [MINUTES [GUESTS [PROGRAM]]]

Starts `roomtone-hub demo --guests N` on a data folder of its own and asks it every second over GraphQL what plays.
"""

import json
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

PENALTY_HOURS = 4
SHARE_OF_LIBRARY = 0.6
FLAT = 1.05


def main():
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 10
    guests = sys.argv[2] if len(sys.argv) > 2 else "12"
    program = sys.argv[3] if len(sys.argv) > 3 else "target/release/roomtone-hub"
    with tempfile.TemporaryDirectory() as folder, open(f"{folder}/log", "w+") as log:
        args = [program, "--data", f"{folder}/data", "demo", "--guests", guests, "--listen", "127.0.0.1:0", "--no-mdns"]
        hub = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        try:
            url = address(hub, log.name)
            heard, memory = listen(hub, url, minutes)
            window = rest_window(url)
        finally:
            hub.send_signal(signal.SIGTERM)
            code = hub.wait(30)
        text = open(log.name).read()
    report(heard, memory, window, minutes, code, text)


def address(hub, log):
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and hub.poll() is None:
        found = re.search(r"http://127\.0\.0\.1:\d+", open(log).read())
        if found:
            return found.group(0)
        time.sleep(0.1)
    sys.exit("the hub printed no address:\n" + open(log).read())


def listen(hub, url, minutes):
    """Every change of song as (second, title), and the resident memory every second."""
    heard, memory, began = [], [], time.monotonic()
    while time.monotonic() - began < minutes * 60:
        now = ask(url, "{ nowPlaying { song { title } startedAt } }")["nowPlaying"]
        key = now and (now["song"]["title"], now["startedAt"])
        if key and (not heard or heard[-1][1:] != key):
            heard.append((time.monotonic() - began, *key))
        memory.append((time.monotonic() - began, resident(hub.pid)))
        time.sleep(1)
    return heard, memory


def rest_window(url):
    songs = ask(url, "{ songs(first: 100) { nodes { durationMs } } }")["songs"]["nodes"]
    return min(PENALTY_HOURS * 3600, SHARE_OF_LIBRARY * sum(song["durationMs"] for song in songs) / 1000)


def ask(url, query):
    body = json.dumps({"query": query}).encode()
    request = urllib.request.Request(f"{url}/graphql", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)["data"]


def resident(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def report(heard, memory, window, minutes, code, text):
    last, repeats = {}, 0
    for at, title, _ in heard:
        repeats += title in last and at - last[title] < window
        last[title] = at
    def at(second):
        near = [kb for t, kb in memory if abs(t - second) < 10]
        return sorted(near)[len(near) // 2]
    early, late = at(min(120, minutes * 12)), at(minutes * 60 - 5)
    warnings = [line for line in text.splitlines() if re.search(r" WARN |ERROR |panicked", line)]
    rows = [
        ("songs heard", len(heard), f"{minutes:g} min", "", "> 1", len(heard) > 1),
        ("repeats within the rest window", repeats, f"{window:.0f} s", "", "0", repeats == 0),
        ("RSS at the end, kB", late, f"{early} at 2 min", f"{late / early:.3f}", f"<= {FLAT}", late <= FLAT * early),
        ("warnings in the log", len(warnings), "", "", "0", not warnings),
        ("exit status after SIGTERM", code, "", "", "0", code == 0),
    ]
    for what, ours, yardstick, ratio, goal, ok in rows:
        print(f"BENCH | soak | {what} | {ours} | {yardstick} | {ratio} | {goal} | {'ok' if ok else 'MISSED'}")
    print(*warnings, sep="\n")
    sys.exit(0 if all(row[-1] for row in rows) else 1)


main()
