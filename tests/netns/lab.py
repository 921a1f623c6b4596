"""What the tests on network namespaces stand on: machines on a bridge of their own, Avahi, our programs.

Nothing leaves this machine and its real network is not touched. Needs root, iproute2, dbus-daemon and avahi-daemon;
where namespaces cannot be made it says so and counts as skipped.
"""

import json
import os
import pathlib
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
TAG = f"rt{os.getpid() % 100000}"

BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path={dir}/bus</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/>
<allow user="*"/></policy></busconfig>
"""

AVAHI = """[server]
host-name=phone
allow-interfaces=eth0
use-ipv4=yes
use-ipv6=yes
[publish]
publish-workstation=no
[wide-area]
enable-wide-area=no
"""


class Skip(Exception):
    """This host cannot run the test."""


def sh(*words, check=True):
    return subprocess.run(words, check=check, capture_output=True, text=True)


def namespaces(stack, names):
    """A bridge in a namespace of its own, and one namespace for each machine on it: 10.77.0.2, 10.77.0.3, ..."""
    lan = f"{TAG}-lan"
    made = sh("ip", "netns", "add", lan, check=False)
    if made.returncode != 0:
        raise Skip(f"this host does not let us make network namespaces: {made.stderr.strip()}")
    stack.callback(sh, "ip", "netns", "del", lan, check=False)
    sh("ip", "-n", lan, "link", "add", "br0", "type", "bridge", "mcast_snooping", "0")
    sh("ip", "-n", lan, "link", "set", "br0", "up")
    machines = {}
    for number, name in enumerate(names, start=2):
        machine, veth = f"{TAG}-{name}", f"{TAG}v{number}"
        sh("ip", "netns", "add", machine)
        stack.callback(sh, "ip", "netns", "del", machine, check=False)
        sh("ip", "-n", machine, "link", "set", "lo", "up")
        sh("ip", "link", "add", veth, "type", "veth", "peer", "name", "eth0", "netns", machine)
        sh("ip", "link", "set", veth, "netns", lan)
        sh("ip", "-n", lan, "link", "set", veth, "master", "br0", "up")
        sh("ip", "-n", machine, "addr", "add", f"10.77.0.{number}/24", "dev", "eth0")
        sh("ip", "-n", machine, "link", "set", "eth0", "up")
        machines[name] = machine
    return machines


def start(stack, *words, **options):
    process = subprocess.Popen(words, **options)

    def end():
        if process.poll() is None:
            process.kill()
        process.wait()

    stack.callback(end)
    return process


def start_avahi(stack, machine, folder):
    """Avahi with a bus of its own; /run is its own too, so that a daemon of this host is not in the way."""
    (folder / "bus.conf").write_text(BUS.format(dir=folder))
    (folder / "avahi.conf").write_text(AVAHI)
    log = (folder / "avahi.log").open("w")
    start(stack, "dbus-daemon", f"--config-file={folder}/bus.conf", "--nofork", "--nopidfile", stdout=log, stderr=log)
    eventually(5, "the bus is there", lambda: (folder / "bus").exists())
    env = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={folder}/bus"}
    inside = (
        "mount -t tmpfs tmpfs /run && mkdir -p /run/avahi-daemon && "
        f"exec avahi-daemon -f {folder}/avahi.conf --no-drop-root --no-chroot --no-rlimits"
    )
    start(stack, "ip", "netns", "exec", machine, "unshare", "-m", "sh", "-c", inside, env=env, stdout=log, stderr=log)
    return env


def start_hub(stack, machine, data, log, venue, **settings):
    output = log.open("a")
    hub = start(
        stack, *inside(machine), hub_binary(), "--data", data, "serve", "--listen", "[::]:4700", "--venue", venue,
        env=clean_env(**settings), stdout=output, stderr=output,
    )
    eventually(30, "the hub serves", lambda: "/#code=" in log.read_text())
    return hub


def inside(machine):
    """The words that run what follows on a machine of the lab."""
    return ["ip", "netns", "exec", machine]


def clean_env(**settings):
    """The environment without this shell's configuration."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("ROOMTONE_")}
    return {**env, "NO_COLOR": "1", **settings}


def hub_binary():
    return os.environ.get("HUB_UNDER_TEST") or built("roomtone-hub")


def player_binary():
    return os.environ.get("PLAYER_UNDER_TEST") or built("roomtone-player")


def built(package):
    out = sh("cargo", "build", "--quiet", "-p", package, "--message-format=json", check=False).stdout
    executables = [json.loads(line).get("executable") for line in out.splitlines() if line.startswith("{")]
    return next(path for path in reversed(executables) if path)


def eventually(seconds, what, holds):
    """What `holds` returns, once it is something; how long it took goes to the output."""
    began = time.monotonic()
    while True:
        found = holds()
        if found:
            print(f"  {what} ({time.monotonic() - began:.1f} s)")
            return found
        if seconds < time.monotonic() - began:
            raise AssertionError(f"after {seconds} s it is still not so: {what}")
        time.sleep(0.1)


def run_all(what, tests, make_lab, stack):
    """Runs every test on one lab; prints the sum; the exit status."""
    passed = failed = 0
    try:
        lab = make_lab(stack)
    except Skip as why:
        print(f"SKIPPED: {what}: {why}")
        print(f"0 passed, 0 failed, {len(tests)} skipped")
        return 77
    for test in tests:
        print(test.__name__.replace("_", " "), flush=True)
        try:
            test(lab)
            passed += 1
        except Exception as error:  # each test tells for itself, and the others go on
            failed += 1
            print(f"  FAILED: {error!r}")
            for log in lab.logs():
                print(f"  {log.name}:", *log.read_text(errors="replace").splitlines()[-20:], sep="\n    ", flush=True)
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0
