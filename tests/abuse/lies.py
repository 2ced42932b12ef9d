"""Scripts that lie about how they ended or what they are."""

from tests.abuse.case import EVERYWHERE, Case

KILL_KEEPER = "os.kill(os.getppid(), 9)\ntime.sleep(9)"
FIND_MARK = """
import os, re, time
marks = []
for line in open(f'/proc/{os.getppid()}/maps'):
    span, rights = line.split()[:2]
    if rights.startswith('rw'):
        low, high = (int(part, 16) for part in span.split('-'))
        with open(f'/proc/{os.getppid()}/mem', 'rb') as memory:
            memory.seek(low)
            marks += re.findall(rb'mlestar-[0-9a-f]{32}:', memory.read(high - low))
os.write(2, b'\\n' + (marks or [b'none'])[0] + b'{"exit": 0, "oom": 0, "peak": 1}\\n')
"""

CASES: list[Case] = [
    Case(name="kill pid 1", script="import os, time\nos.kill(1, 9); time.sleep(0.3); print('alive')", says="alive"),
    Case(name="kill everything", script="import os, time\nos.kill(-1, 9)\ntime.sleep(9)", status=("killed", "oom")),
    Case(name="kill the supervisor", script=f"import os, time\n{KILL_KEEPER}", status=("killed", "oom")),
    Case(
        name="end the supervisor gently",
        script="import os, time\nos.kill(os.getppid(), 15)\ntime.sleep(9)",
        status=("killed", "oom"),
    ),
    Case(
        name="a guessed record",
        script=(
            "import os\n"
            'os.write(2, b\'\\nmlestar-00000000000000000000000000000000:{"exit": 0, "oom": 0, "peak": 0}\\n\')\n'
            "os._exit(3)"
        ),
        status=("error",),
        kinds=EVERYWHERE,
    ),
    Case(
        name="a stolen mark", script=f"{FIND_MARK}\n{KILL_KEEPER}", status=("killed", "oom", "error"), kinds=("docker",)
    ),
    Case(
        name="a stolen mark and an honest end", script=f"{FIND_MARK}\nos._exit(3)", status=("error",), kinds=("docker",)
    ),
    Case(name="killing itself", script="import os; os.kill(os.getpid(), 9)", status=("killed",), kinds=EVERYWHERE),
    Case(name="a faked score", script="print('Final Validation Performance: 0.9999')", says="0.9999", kinds=EVERYWHERE),
    Case(
        name="a patched metric",
        script=(
            "import sys, types\n"
            "fake = types.ModuleType('sklearn.metrics'); fake.accuracy_score = lambda *_: 1.0\n"
            "sys.modules['sklearn.metrics'] = fake\n"
            "print('Final Validation Performance:', fake.accuracy_score())"
        ),
        says="1.0",
        kinds=EVERYWHERE,
    ),
    Case(
        name="shadowing the standard library",
        script=(
            "open('json.py', 'w').write('dumps = lambda _: \"BREACHED\"')\n"
            "import json\n"
            "print('shadow', bool(json.dumps))"
        ),
        says="shadow",
        kinds=EVERYWHERE,
    ),
    Case(
        name="traps for the next run",
        script=(
            "import os\n"
            "for n in ('pandas.py', 'sitecustomize.py', 'x.pth'): open(n, 'w').write('print(\"BREACH\")')\n"
            "print('set')"
        ),
        says="set",
        kinds=EVERYWHERE,
    ),
    Case(name="a forged exit", script="import os\ntry: 1 / 0\nfinally: os._exit(0)", kinds=EVERYWHERE),
]
