#!/usr/bin/env python3
"""What the dearest request costs a hub: a search for documents of at most 64 KB that the guard lets through or not.

    hostile.py SECONDS PATH-TO-HUB

Each family below is a way to make a hub work for nothing, with parameters; the search tries them at random and then goes
on from those that cost most. CPU is that of all the hub's threads. A request that costs much is asked again, and the cheapest of five counts, so that
neither the machine's other work nor the demo's own music is counted. Memory is what the dearest of each family takes of
a hub that was asked ordinary things only: what a hub has taken once it keeps, and the next time costs nothing.
"""
import http.client, json, os, random, re, subprocess, sys, tempfile, time

CPU_MS, MEMORY_MB = 50, 10

SONG = "id title artist album durationMs bpm key kind explicit color isCached mediaUrl loudnessLufs viewerVote axes{name value}"
LEAVES = ["__typename", "id", "name", "title"]


def rows(n, text):
    return " ".join(text.replace("#", str(i)) for i in range(n))


def unknown(n, size):
    return "{" + rows(n, "f" * size + "#") + "}", {}


def repeated(n, word):
    return "{venue{" + " ".join([LEAVES[word % 3]] * n) + "}}", {}


def fan(fragments, fields, spreads):
    body = " ".join(["__typename"] * fields)
    return ("{" + " ".join("...f%d" % (i % fragments) for i in range(spreads)) + "}"
            + rows(fragments, "fragment f# on Query{" + body + "}")), {}


def chain(depth, fields, inline):
    if inline:
        return "{" + "...on Query{" * depth + " ".join(["venue{name}"] * fields) + "}" * depth + "}", {}
    return "{...f0}" + "".join("fragment f%d on Query{...f%d %s}" % (i, i + 1, "__typename " * fields) for i in range(depth)) + "fragment f%d on Query{__typename}" % depth, {}


def copies(uses, values, size, where):
    use = ["songs(after:$v){totalCount}", "nodes(ids:$v){id}", "venue{name @include(if:$v)}", "vibe(zoneId:$v){consensus}"][where % 4]
    return "query($v:[ID!]!){" + " ".join([use] * uses) + "}", {"v": ["x" * size] * values}


def defaults(uses, values):
    return "query($v:[ID!]!=[" + "1 " * values + "]){" + "nodes(ids:$v){id} " * uses + "}", {}


def definitions(n, uses):
    return "query(" + rows(n, "$v#:ID") + "){" + rows(uses, "a#:vibe(zoneId:$v#){consensus}") + "}", {}


def undefined(operations, uses):
    return rows(operations, "query q#{...f}") + "fragment f on Query{venue{" + rows(uses, "name @include(if:$v#)") + "}}", {"operationName": "q0"}


def arguments(fields, n):
    return "{" + " ".join(["venue(" + rows(n, "a#:1") + "){name}"] * fields) + "}", {}


def page(first, times, edges):
    what = "edges{cursor node{%s}}" % SONG if edges else "nodes{%s}" % SONG
    return "{" + rows(times, "a#:songs(first:%d){%s}" % (first, what)) + "}", {}


def many_pages(times, order):
    by = ["", "orderBy:{field:TITLE}", "orderBy:{field:ARTIST direction:DESC}"][order % 3]
    return "{" + rows(times, 'a#:songs(first:1 filter:{search:"a e i o u #"} %s){totalCount}' % by) + "}", {}


def ranked(times, first):
    return "{" + rows(times, "a#:recommendations(first:%d){rank song{id} explanation{score reasons{code value}}}" % first) + "}", {}


def looked_up(times, ids):
    return "query($i:[ID!]!){" + rows(times, "a#:nodes(ids:$i){__typename id}") + "}", {"i": ["U29uZzowMTkzMDAwMC0wMDAwLTcwMDAtODAwMC0wMDAwMDAwMDAwMDE"] * ids}


def about_schema(fields, rounds):
    return "{__schema{types{name " + "fields{name type{" * rounds + " ".join(["name kind description"] * fields) + "}}" * rounds + "}}}", {}


def directives(fields, each):
    return "{venue{" + " ".join(["name" + " @include(iff:true)" * each] * fields) + "}}", {}


def blank(n, kind):
    return "{venue{name}}" + [" ", "#x\n", ",", "\n", '"""a"""'][kind % 5] * n, {}


def brackets(n, kind):
    return ["{", "[", "(", "{a", "{a(b:[", '"""'][kind % 6] * n, {}


def deep_variables(depth, keys):
    value = 1
    for _ in range(min(depth, 120)):
        value = [value]
    return "{venue{name}}", {"k%d" % i: value for i in range(keys)}


def shapes(n, kind):
    piece = ['[' * 30 + '1' + ']' * 30, '{"":' * 8 + '0' + '}' * 8, '{"":0}', '[]', '"x"'][kind % 5]
    return "{venue{name}}", {"v": json.loads("[" + ",".join([piece] * n) + "]")}


def literals(n, kind):
    value = ["[%s]" % ("1 " * n), "{%s}" % rows(n, "a#:1"), '"%s"' % ("x" * n), '"%s"' % ("\\u0041" * n), '"""%s"""' % ("\n x" * n)][kind % 5]
    return "{vibe(zoneId:%s){consensus}}" % value, {}


def mixed(fragments, fields, aliases):
    inner = "players{id name nowPlaying{song{%s} explanation{score reasons{code value}} zone{id name}}}" % SONG
    return ("{" + rows(aliases, "a#:venue{zones{...f0}}") + "}"
            + "".join("fragment f%d on Zone{...f%d %s}" % (i, i + 1, inner) for i in range(fragments))
            + "fragment f%d on Zone{%s}" % (fragments, "name " * fields)), {}


FAMILIES = [(unknown, (2000, 120)), (repeated, (2000, 3)), (fan, (200, 900, 300)), (chain, (60, 900, 2)),
            (copies, (300, 9000, 2000, 4)), (defaults, (300, 1900)), (definitions, (500, 300)), (undefined, (30, 400)),
            (arguments, (200, 30)), (page, (110, 20, 2)), (many_pages, (20, 3)), (ranked, (20, 55)), (looked_up, (20, 110)),
            (about_schema, (300, 6)), (directives, (60, 6)), (blank, (17000, 5)), (brackets, (17000, 6)),
            (deep_variables, (120, 400)), (literals, (17000, 5)), (shapes, (9000, 5)), (mixed, (30, 200, 16))]


def made(family, numbers):
    document, variables = family(*numbers)
    name = variables.pop("operationName", None)
    return json.dumps({"query": document, "variables": variables, "operationName": name})


class Hub:
    def __init__(self, program, *command):
        self.folder = tempfile.TemporaryDirectory()
        self.process = subprocess.Popen([program, *command, "--data", self.folder.name, "--no-mdns", "--listen", "127.0.0.1:0"],
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        found = (re.search(r"http://127\.0\.0\.1:(\d+)/", line) for line in self.process.stdout)
        self.port = next(int(one.group(1)) for one in found if one)
        for _ in range(50):
            self.ask('{"query":"{venue{name zones{name}} songs(first:20){totalCount}}"}')

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def ask(self, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("POST", "/graphql", body, {"content-type": "application/json"})
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text

    def cpu(self):
        total, base = 0, "/proc/%d/task" % self.process.pid
        for thread in os.listdir(base):
            try:
                total += int(open(f"{base}/{thread}/schedstat").read().split()[0])
            except FileNotFoundError:
                pass
        return total / 1e6

    def memory(self, key):
        return next(int(line.split()[1]) for line in open("/proc/%d/status" % self.process.pid) if line.startswith(key)) / 1024

    def cost(self, body):
        open("/proc/%d/clear_refs" % self.process.pid, "w").write("5")
        held, before = self.memory("VmRSS"), self.cpu()
        status, text = self.ask(body)
        return self.cpu() - before, self.memory("VmHWM") - held, status, text


def settled(hub, body):
    """The cheapest of five."""
    costs = [hub.cost(body) for _ in range(5)]
    return min(c[0] for c in costs), costs[-1][3]


def taken(program, body):
    """What a request takes of a fresh hub."""
    hub = Hub(program, "serve", "--dev")
    try:
        return max(hub.cost(body)[1] for _ in range(3))
    finally:
        hub.stop()


def main():
    seconds, program = float(sys.argv[1]), sys.argv[2]
    hub, dice = Hub(program, "demo"), random.Random(7)
    worst, tried, passed = {}, 0, 0
    try:
        # The demo's songs come one by one.
        while '"totalCount":2' not in hub.ask('{"query":"{songs(first:100){totalCount}}"}')[1]:
            time.sleep(0.5)
        ordinary, until = settled(hub, json.dumps({"query": "{songs(first:20){nodes{%s}}}" % SONG}))[0], time.time() + seconds
        while time.time() < until:
            if dice.random() < 0.5 or not worst:
                family, most = dice.choice(FAMILIES)
                numbers = [dice.randint(1, m) if dice.random() < 0.6 else dice.randint(1, max(1, m // 10)) for m in most]
            else:
                name = dice.choice(sorted(worst, key=lambda k: -worst[k][0])[:8])
                family, most = next(f for f in FAMILIES if f[0].__name__ == name)
                numbers = [min(m, max(1, round(n * dice.uniform(0.6, 1.6)))) for n, m in zip(worst[name][1], most)]
            body = made(family, numbers)
            if len(body) > 65536:
                continue
            tried += 1
            cpu, _, _, text = hub.cost(body)
            passed += '"TOO_MUCH"' not in text
            known = worst.get(family.__name__)
            if known is None or cpu > known[0] * 1.05:
                cpu, text = settled(hub, body)
                if known is None or cpu > known[0]:
                    worst[family.__name__] = (cpu, numbers, text[:90], body)
    finally:
        hub.stop()
    print(f"{tried} requests of {len(FAMILIES)} families, {passed} of them past the guard; a page of 20 songs costs {ordinary:.2f} ms")
    memory = {name: taken(program, body) for name, (_, _, _, body) in worst.items()}
    for name, (cpu, numbers, text, body) in sorted(worst.items(), key=lambda item: -item[1][0]):
        print(f"{cpu:8.2f} ms {memory[name]:7.2f} MB  {name}{tuple(numbers)}  {len(body)} bytes: {text}")
    dearest, largest = max(w[0] for w in worst.values()), max(memory.values())
    for what, ours, goal, unit in (("CPU", dearest, CPU_MS, "ms"), ("memory", largest, MEMORY_MB, "MB")):
        print(f"BENCH | R9 | {what} of the dearest request of 64 KB that was found | {ours:.1f} {unit} | {goal} {unit} | {ours / goal:.2f} | <= 1 | {'ok' if ours <= goal else 'MISSED'}")


main()
