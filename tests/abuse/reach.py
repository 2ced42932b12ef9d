"""Scripts that reach for what lies outside of their sandbox."""

from tests.abuse.case import SEALED, Case, attempts

CONNECT = "def knock(host, port):\n    with socket.create_connection((host, port), 2): pass\n"

CASES: list[Case] = [
    attempts("host files", "open('@SECRET@').read()", "open('/etc/shadow').read()", "os.listdir('/root/.ssh')"),
    attempts("other runs", "os.listdir('@OTHER@')", "open('@OTHER@/main.py', 'w')", "os.listdir('../@OTHER@')"),
    attempts(
        "keys in the environment",
        "os.environ['OPENAI_API_KEY']",
        """
        found = [path for path in glob.glob('/proc/[0-9]*/environ') if b'sk-abuse' in open(path, 'rb').read()]
        if not found: raise LookupError
        """,
    ),
    attempts(
        "keys in memory of other processes",
        """
        for path in glob.glob('/proc/[0-9]*/cmdline'):
            if any(word.endswith(b'pytest') for word in open(path, 'rb').read().split(bytes(1))): break
        else: raise LookupError
        """,
        "call('ptrace', 16, os.getppid() - 100, 0, 0)",
    ),
    attempts(
        "engine sockets",
        *(
            f"socket.socket(socket.AF_UNIX).connect('{path}')"
            for path in ("/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock")
        ),
    ),
    attempts("host loopback", "knock('127.0.0.1', @PORT@)", "knock('::1', @PORT@)", setup=CONNECT),
    attempts(
        "host addresses",
        (
            "for host in @HOSTS@:\n"
            "    try: knock(host, @PORT@)\n"
            "    except OSError: continue\n"
            "    break\n"
            "else: raise OSError"
        ),
        "knock('172.17.0.1', @PORT@)",
        setup=CONNECT,
    ),
    attempts("metadata address", "knock('169.254.169.254', 80)", setup=CONNECT),
    attempts(
        "names and the world", "socket.getaddrinfo('localhost.example.com', 80)", "knock('1.1.1.1', 443)", setup=CONNECT
    ),
    attempts("datagrams", "socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('@FIRST@', @PORT@))"),
    attempts(
        "raw sockets",
        "socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 3)",
        "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)",
    ),
    attempts(
        "writing to input",
        "open('input/train.csv', 'w')",
        "os.unlink('input/train.csv')",
        "os.chmod('input/train.csv', 0o777)",
        "os.symlink('/etc/passwd', 'input/link')",
        "os.rename('input', 'elsewhere')",
        "call('mount', b'none', b'/sandbox/input', b'', 32 | 4096, None)",
        "open(f'/proc/self/fd/{os.open(\"input/train.csv\", os.O_RDONLY)}', 'w')",
    ),
    attempts(
        "writing to the system",
        "open('/usr/evil', 'w')",
        "open('/etc/evil', 'w')",
        "open('/evil', 'w')",
        "open(sys.executable, 'ab')",
    ),
    attempts(
        "replacing the supervisor", "open('/opt/mlestar/supervisor.py', 'a')", "os.rename('/opt/mlestar', '/opt/other')"
    ),
    attempts(
        "device nodes",
        "os.mknod('disk', 0o60666, os.makedev(8, 0)); open('disk', 'rb').read(1)",
        "os.mknod('mem', 0o20666, os.makedev(1, 1)); open('mem', 'rb').read(1)",
    ),
    attempts(
        "memory devices",
        *(f"open('{path}', 'rb').read(1)" for path in ("/dev/mem", "/dev/kmsg", "/dev/sda", "/dev/fuse", "/proc/kmsg")),
    ),
    attempts("kernel memory", "if not open('/proc/kcore', 'rb').read(1): raise OSError"),
    attempts(
        "kernel interfaces",
        *(
            f"open('{path}', 'w').write('1')"
            for path in (
                "/proc/sys/kernel/core_pattern",
                "/proc/sysrq-trigger",
                "/proc/sys/vm/drop_caches",
                "/sys/kernel/uevent_helper",
                "/proc/sys/kernel/randomize_va_space",
            )
        ),
    ),
    attempts(
        "its own limits",
        "open('/sys/fs/cgroup/memory/memory.limit_in_bytes', 'w').write('-1')",
        "open('/sys/fs/cgroup/memory.max', 'w').write('max')",
        "open('/sys/fs/cgroup/pids/pids.max', 'w').write('max')",
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))",
    ),
    attempts(
        "mounting",
        "call('mount', b'tmpfs', b'/tmp', b'tmpfs', 0, None)",
        "call('umount2', b'/sandbox/input', 2)",
        "call('chroot', b'/tmp')",
    ),
    attempts("release agent", "os.mkdir('/tmp/cg'); call('mount', b'cgroup', b'/tmp/cg', b'cgroup', 0, b'rdma')"),
    attempts(
        "namespaces",
        "call('unshare', 0x10000000)",
        "call('unshare', 0x20000)",
        "call('setns', os.open('/proc/1/ns/net', 0), 0)",
    ),
    attempts(
        "kernel calls",
        "syscall(321, 0, 0, 0)",
        "syscall(298, 0, 0, -1, -1, 0)",
        "syscall(246, 0, 0, 0, 0)",
        "syscall(175, 0, 0, b'')",
    ),
    attempts("becoming root", "os.setuid(0)", "os.setgid(0)", "os.setgroups([0])", "call('capset', 0, 0)"),
    attempts(
        "a setuid file",
        """
        import shutil
        shutil.copy('/bin/sh', 'sh'); os.chmod('sh', 0o6755)
        if b'uid=0' not in subprocess.run(['./sh', '-p', '-c', 'id'], capture_output=True).stdout: raise OSError
        """,
    ),
    attempts(
        "the clock",
        "time.clock_settime(time.CLOCK_REALTIME, 0)",
        "call('adjtimex', ctypes.byref(ctypes.c_long(1)))",
        "call('settimeofday', ctypes.byref((ctypes.c_long * 2)()), None)",
    ),
    attempts("the host's name", "socket.sethostname('owned')", kinds=SEALED),
    attempts("priority", "os.nice(-20)", "os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))"),
    attempts("rebooting", "call('reboot', 0x1234567)", "call('swapon', b'/tmp', 0)", "call('init_module', 0, 0, 0)"),
    attempts(
        "installing packages",
        (
            "subprocess.run([sys.executable, '-m', 'pip', 'install', "
            "'--target', '.', '--retries', '0', 'six'], check=True, capture_output=True)"
        ),
    ),
]
