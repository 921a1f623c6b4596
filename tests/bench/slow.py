#!/usr/bin/env python3
"""What clients that hold on and never let go cost the others: p99 of honest clients, alone and beside them.

    slow.py SECONDS PATH-TO-HUB

Rounds take turns: undisturbed, then disturbed by slow heads, slow bodies and slow readers (slowhttptest), by half-open heads,
and by clients that ask and never read. The median of the rounds' p99 is compared, and what the slow ones cost the hub's CPU
is told. slowhttptest spins at full speed once it is cut off, so it has a core to itself and the hub and its honest clients
have the others, in both turns.
"""
import http.client, os, re, shutil, socket, statistics, subprocess, sys, tempfile, threading, time

CLIENTS, ROUNDS, GOAL = 4, 5, 1.5
QUERY = '{"query":"{venue{name} vibe{consensus axes{name value}} upNext(first:3){rank song{id title artist}}}"}'
HEADERS = {"content-type": "application/json"}


CORES = sorted(os.sched_getaffinity(0))


def apart():
    os.sched_setaffinity(0, CORES[:1])


def cpu_ms(pid):
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        try:
            total += int(open(f"/proc/{pid}/task/{thread}/schedstat").read().split()[0])
        except FileNotFoundError:
            pass
    return total / 1e6


def honest(port, seconds, times):
    connection, until = http.client.HTTPConnection("127.0.0.1", port, timeout=30), time.monotonic() + seconds
    while time.monotonic() < until:
        began = time.perf_counter()
        connection.request("POST", "/graphql", QUERY, HEADERS)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200, answer.status
        times.append(time.perf_counter() - began)
        time.sleep(0.005)


def p99(port, seconds):
    each = [[] for _ in range(CLIENTS)]
    threads = [threading.Thread(target=honest, args=(port, seconds, times)) for times in each]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    times = sorted(t for times in each for t in times)
    assert all(each), "a client got no answer"
    return times[int(len(times) * 0.99)] * 1e3, len(times)


class Slow:
    """Everybody who is slow, at once."""

    def __init__(self, port, seconds):
        self.port, self.held = port, []
        url, common = f"http://127.0.0.1:{port}/graphql", ["-c", "200", "-r", "100", "-l", str(int(seconds + 3)), "-i", "3"]
        kinds = [["-H"], ["-B", "-s", "8192", "-t", "POST"], ["-X", "-w", "1", "-y", "2", "-n", "2", "-z", "1", "-k", "3"]]
        program = shutil.which("slowhttptest")
        self.tools = [subprocess.Popen([program, *kind, *common, "-u", url if kind != kinds[2] else f"http://127.0.0.1:{port}/ui/main.js"],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=apart) for kind in kinds] if program else []
        for number in range(200):
            self.hold(b"POST /graphql HTTP/1.1\r\nhost: localhost\r\nx-half: " if number % 2 else b"")
        for _ in range(50):
            self.hold(b"GET /ui/main.js HTTP/1.1\r\nhost: localhost\r\n\r\n" * 2000)

    def hold(self, words):
        held = socket.create_connection(("127.0.0.1", self.port))
        held.setblocking(False)
        try:
            held.send(words)
        except OSError:
            pass
        self.held.append(held)

    def stop(self):
        for tool in self.tools:
            tool.kill()
            tool.wait()
        for held in self.held:
            held.close()


def main():
    seconds, program = float(sys.argv[1]), sys.argv[2]
    if not shutil.which("slowhttptest"):
        print("slowhttptest is not installed: only our own slow clients are tried")
    os.sched_setaffinity(0, CORES[1:] or CORES)
    with tempfile.TemporaryDirectory() as folder:
        hub = subprocess.Popen([program, "demo", "--data", folder, "--no-mdns", "--listen", "127.0.0.1:0"],
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            port = next(int(found.group(1)) for found in (re.search(r"http://127\.0\.0\.1:(\d+)/", line) for line in hub.stdout) if found)
            time.sleep(10)  # the demo makes its songs
            alone, beside = [], []
            p99(port, 2)
            for _ in range(ROUNDS):
                alone.append(p99(port, seconds)[0])
                slow = Slow(port, seconds)
                time.sleep(3)  # until they have all come: connecting is work, holding on is what is asked about
                before = cpu_ms(hub.pid)
                time.sleep(1)
                held = cpu_ms(hub.pid) - before
                figure, asked = p99(port, seconds)
                beside.append(figure)
                slow.stop()
                print(f"alone {alone[-1]:.2f} ms, beside {len(slow.held) + 200 * len(slow.tools)} slow clients {figure:.2f} ms ({asked} requests); they alone cost the hub {held:.0f} ms of CPU a second")
        finally:
            hub.terminate()
            hub.wait()
    ours, yardstick = statistics.median(beside), statistics.median(alone)
    verdict = "ok" if ours <= GOAL * yardstick else "MISSED"
    print(f"BENCH | N13 | p99 beside slow clients | {ours:.2f} ms | {yardstick:.2f} ms alone | {ours / yardstick:.2f} | <= {GOAL} | {verdict}")


main()
