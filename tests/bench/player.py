#!/usr/bin/env python3
"""Our player beside mpv, both on the same sound server, the same songs and the same machine in one run.

  tests/bench/player.py SECONDS HUB PLAYER

A PulseAudio null sink stands for the loudspeaker and `parec` hears what it gets. Measured of both: CPU while playing, memory,
from start to first sound, and from an order (next song) to the other song at the loudspeaker. Of ours also: the same behind its
hub, with everything a venue has around it, and from kill -9 to sound. Ratios gate; absolute figures are the machine's.
"""

import contextlib
import json
import math
import os
import pathlib
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time

ROUNDS = 12
RATE = 48_000
SONGS, SONG_S = 8, 60


class Sound:
    """A sound server without a sound card, and an ear at its loudspeaker."""

    def __init__(self, stack, folder):
        self.folder = folder
        (folder / "home").mkdir()
        env = {"PATH": os.environ["PATH"], "HOME": str(folder / "home"), "XDG_RUNTIME_DIR": str(folder)}
        start(stack, [
            "pulseaudio", "-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1", "--disable-shm=yes",
            "--realtime=no", "--high-priority=no",
            f"--load=module-native-protocol-unix socket={folder}/pulse.sock auth-anonymous=1",
            f"--load=module-null-sink sink_name=venue rate={RATE} channels=2 format=float32le",
            f"--log-target=file:{folder}/log",
        ], env)
        self.env = {**os.environ, "PULSE_SERVER": f"unix:{folder}/pulse.sock", "XDG_RUNTIME_DIR": str(folder), "NO_COLOR": "1"}
        eventually("the sound server answers", lambda: subprocess.run(
            ["pactl", "info"], env=self.env, capture_output=True).returncode == 0)
        ear = start(stack, [
            "parec", "--device=venue.monitor", "--format=float32le", f"--rate={RATE}", "--channels=2", "--latency-msec=10",
            "--raw",
        ], self.env, stdout=subprocess.PIPE)
        self.frames = []
        self.heard = threading.Condition()
        threading.Thread(target=self.listen, args=[ear.stdout], daemon=True).start()
        eventually("the ear hears", lambda: self.frames)

    def listen(self, stream):
        """Pieces of 10 ms with the moment in which they came."""
        while piece := stream.read(RATE // 100 * 8):
            left = struct.unpack(f"<{len(piece) // 4}f", piece)[::2]
            with self.heard:
                self.frames.append((time.monotonic(), left))
                del self.frames[:-3_000]
                self.heard.notify_all()

    def first(self, since, holds, patience=20):
        """When the loudspeaker first gave something that `holds` after `since`, in seconds after it."""
        with self.heard:
            seen = 0
            while time.monotonic() < since + patience:
                for at, left in self.frames:
                    if at > max(since, seen) and holds(left):
                        return at - since
                    seen = max(seen, at)
                self.heard.wait(0.1)
        return math.nan

    def silence(self):
        """Waits until nothing has sounded for half a second."""
        eventually("silence", lambda: all(not loud(left) for _, left in self.frames[-50:]), 20)


def loud(left):
    return max(abs(x) for x in left) > 0.002


def tone(hz):
    """Whether a piece is mostly this tone: its part of the power, by Goertzel."""
    turn = 2 * math.cos(2 * math.pi * hz / RATE)

    def holds(left):
        power = sum(x * x for x in left) / len(left)
        if power < 1e-6:
            return False
        last = before = 0.0
        for x in left:
            last, before = x + turn * last - before, last
        part = (last * last + before * before - turn * last * before) / (len(left) / 2) ** 2 / 2
        return part > 0.6 * power

    return holds


def start(stack, words, env, **options):
    options.setdefault("stdout", subprocess.DEVNULL)
    process = subprocess.Popen([str(word) for word in words], env=env, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)

    def end():
        if process.poll() is None:
            process.kill()
        process.wait()

    stack.callback(end)
    return process


def eventually(what, holds, patience=60):
    end = time.monotonic() + patience
    while time.monotonic() < end:
        found = holds()
        if found:
            return found
        time.sleep(0.02)
    raise SystemExit(f"after {patience} s it is still not so: {what}")


def cpu_s(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1_000


def frequency(n):
    # Pieces of 10 ms tell tones apart that are a multiple of 100 Hz away from each other.
    return 400 + 300 * n


def write_songs(folder):
    """Steady tones at 44.1 kHz, as Ogg Vorbis, so that both players decode and resample."""
    folder.mkdir()
    for n in range(SONGS):
        words = ["ffmpeg", "-loglevel", "error", "-f", "lavfi", "-i",
                 f"sine=frequency={frequency(n)}:sample_rate=44100:duration={SONG_S}", "-ac", "2", "-c:a", "libvorbis",
                 "-metadata", f"title=tone {n}", str(folder / f"tone {n}.ogg")]
        subprocess.run(words, check=True)
    return sorted(folder.iterdir())


class Mpv:
    """mpv with its defaults for sound, told what to do by its own socket."""

    def __init__(self, stack, sound, files):
        self.path = sound.folder / f"mpv{time.monotonic_ns()}"
        self.process = start(stack, [
            "mpv", "--no-config", "--no-video", "--really-quiet", "--ao=pulse", "--gapless-audio=yes", "--loop-playlist=inf",
            f"--input-ipc-server={self.path}", *files,
        ], sound.env)

    def next(self):
        client = socket.socket(socket.AF_UNIX)
        client.connect(str(self.path))
        client.sendall(b'{"command": ["playlist-next"]}\n')
        client.close()

    def end(self):
        self.process.kill()
        self.process.wait()


class Ours:
    """The whole player: behind a hub, with its plan on the disk."""

    def __init__(self, stack, sound, folder, hub, player):
        self.stack, self.sound, self.hub, self.player = stack, sound, hub, player
        self.data, self.hub_data = folder / "player", folder / "hub"
        self.process = None

    def run(self, binary, data, *words):
        out = subprocess.run([binary, "--data", data, *words], env=self.sound.env, capture_output=True, text=True)
        if out.returncode != 0:
            raise SystemExit(f"{words}: {out.stdout}{out.stderr}")
        return out.stdout

    def open_venue(self, songs):
        self.run(self.hub, self.hub_data, "import", songs)
        port = free_port()
        env = {**self.sound.env, "ROOMTONE_ZONES_MAIN_CROSSFADE_MS": "0"}
        start(self.stack, [self.hub, "--data", self.hub_data, "serve", "--listen", f"127.0.0.1:{port}", "--no-mdns"], env)
        self.address = f"127.0.0.1:{port}"
        window = eventually("the hub serves", lambda: self.window())
        digits = window
        self.run(self.player, self.data, "--hub", self.address, "--name", "bar", "pair", digits)

    def window(self):
        words = [self.hub, "--data", str(self.hub_data), "pair"]
        process = start(self.stack, words, self.sound.env, stdout=subprocess.PIPE, text=True)
        for line in process.stdout:
            parts = line.split()
            for one, two in zip(parts, parts[1:]):
                if len(one) == len(two) == 4 and (one + two).isdigit():
                    threading.Thread(target=process.stdout.read, daemon=True).start()
                    return one + two
        return None

    def start(self):
        self.process = start(self.stack, [
            self.player, "--data", self.data, "--hub", self.address, "--output", "device",
        ], self.sound.env)

    def status(self):
        out = subprocess.run([self.player, "--data", self.data, "status", "--json"], capture_output=True, text=True)
        return json.loads(out.stdout) if out.returncode == 0 else None

    def title(self):
        status = self.status()
        return status and status["song"] and status["song"]["title"]

    def next(self):
        """The order as a manager gives it, by the command line's socket; its own start is not what is measured."""
        client = socket.socket(socket.AF_UNIX)
        client.connect(str(self.hub_data / "control.sock"))
        body = json.dumps({"order_player": {"name": "bar", "order": "skip"}})
        client.sendall(f"POST /order HTTP/1.1\r\nhost: hub\r\ncontent-type: application/json\r\n"
                       f"content-length: {len(body)}\r\nconnection: close\r\n\r\n{body}".encode())
        # To its end: the hub works for as long as somebody listens.
        answer = b"".join(iter(lambda: client.recv(4_096), b""))
        client.close()
        assert b"200 OK" in answer, answer

    def end(self):
        self.process.kill()
        self.process.wait()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def sounding(sound):
    """The tone that sounds now."""
    pieces = [left for _, left in sound.frames[-6:]]
    for n in range(SONGS):
        if sum(tone(frequency(n))(left) for left in pieces) > len(pieces) / 2:
            return n
    return None


def skips(sound, player):
    """From the order to the other song, in ms."""
    took = []
    for _ in range(ROUNDS):
        before = eventually("a song sounds", lambda: (n := sounding(sound)) is not None and [n], 30)[0]
        began = time.monotonic()
        player.next()
        others = [tone(frequency(n)) for n in range(SONGS) if n != before]
        took.append(1_000 * sound.first(began, lambda left: any(other(left) for other in others)))
        time.sleep(1)  # between two orders, so that each finds a song in its middle
    return took


def playing_cost(sound, pid, seconds):
    began = cpu_s(pid)
    time.sleep(seconds)  # the time in which it is measured
    return 100 * (cpu_s(pid) - began) / seconds, memory_mb(pid)


def p(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def bench(what, ours, yardstick, unit, goal):
    ratio = ours / yardstick if yardstick else math.nan
    verdict = "ok" if goal is None or ratio <= goal else "MISSED"
    shown = f"<= {goal}x" if goal else "reported"
    print(f"BENCH | player | {what} | {ours:.1f} {unit} | {yardstick:.1f} {unit} | {ratio:.2f} | {shown} | {verdict}", flush=True)


def absolute(what, ours, unit, most=None):
    verdict = "ok" if most is None or ours <= most else "MISSED"
    print(f"BENCH | player | {what} | {ours:.1f} {unit} | - | - | {f'<= {most} {unit}' if most else 'reported'} | {verdict}", flush=True)


def main():
    seconds, hub, player = float(sys.argv[1]), sys.argv[2], sys.argv[3]
    missing = [tool for tool in ["pulseaudio", "pactl", "parec", "mpv", "ffmpeg"] if not shutil.which(tool)]
    if missing:
        raise SystemExit(f"not installed: {', '.join(missing)}")
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "sound").mkdir()
        files = write_songs(folder / "songs")
        sound = Sound(stack, folder / "sound")
        ours = Ours(stack, sound, folder, hub, player)
        ours.open_venue(folder / "songs")
        ours.start()
        eventually("all songs are here", lambda: (ours.status() or {}).get("cached_songs") == SONGS)
        eventually("it plays", lambda: sounding(sound) is not None)

        our_cpu, our_memory = playing_cost(sound, ours.process.pid, seconds)
        our_skips = skips(sound, ours)
        killed = []
        for _ in range(3):
            ours.end()
            sound.silence()
            began = time.monotonic()
            ours.start()
            killed.append(sound.first(began, loud))
            time.sleep(1)  # so that it has noted its place
        ours.end()
        sound.silence()

        their_starts = []
        for _ in range(3):
            began = time.monotonic()
            theirs = Mpv(stack, sound, files)
            their_starts.append(sound.first(began, loud))
            theirs.end()
            sound.silence()
        theirs = Mpv(stack, sound, files)
        eventually("mpv plays", lambda: sounding(sound) is not None)
        their_cpu, their_memory = playing_cost(sound, theirs.process.pid, seconds)
        their_skips = skips(sound, theirs)
        theirs.end()

    bench("CPU of playing, whole player behind its hub", our_cpu, their_cpu, "% of a core", 2)
    absolute("CPU of playing", our_cpu, "% of a core", 3)
    bench("memory", our_memory, their_memory, "MB", 1)
    absolute("memory", our_memory, "MB", 40)
    bench("killed, started, first sound (same song)", 1_000 * statistics.median(killed), 1_000 * statistics.median(their_starts), "ms", None)
    absolute("killed, started, first sound", 1_000 * max(killed), "ms", 5_000)
    bench("next song ordered to heard, p50", p(our_skips, 0.5), p(their_skips, 0.5), "ms", None)
    bench("next song ordered to heard, p95", p(our_skips, 0.95), p(their_skips, 0.95), "ms", None)
    absolute("next song ordered to heard, p95", p(our_skips, 0.95), "ms", 300)


main()
