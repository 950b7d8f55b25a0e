"""In the place of a service, for what is about processes alone: a worker that starts in no time.

What it does wrong is what files there are in the folder STAND_IN; "slow" says how many seconds.
"""

import os
import signal
import sys
import time
from pathlib import Path

faults = {path.name: path.read_text() for path in Path(os.environ["STAND_IN"]).iterdir()}
if "dies" in faults:
    sys.exit(7)
signal.signal(signal.SIGTERM, signal.SIG_IGN if "deaf" in faults else lambda *_: sys.exit(0))
if "slow" in faults:
    time.sleep(float(faults["slow"]))
if "never ready" not in faults:
    print("ready", flush=True)
while True:
    time.sleep(60)
