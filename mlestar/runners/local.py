"""The local runner: scripts as processes of this user. Bounds accidents, stops no attacker."""

import os
import shutil
import subprocess
import sys
import threading
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from mlestar.errors import RunnerError
from mlestar.runners.base import Environment, Execution, Job
from mlestar.runners.capture import Output
from mlestar.runners.child import Child
from mlestar.runners.probe import ask
from mlestar.runners.snapshot import Snapshots
from mlestar.runners.watch import MIB, End, conclude, finish, over_limit, unwritable, watch
