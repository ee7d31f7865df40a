"""Known vulnerabilities of the pinned versions, by pip-audit.

pip-audit ends well over versions that it gets no advisories of. This says so, and fails for a vulnerability only.
"""

import json
import subprocess
import sys
from pathlib import Path

OPTIONS = ["--requirement", "constraints.txt", "--no-deps", "--disable-pip", "--format=json", "--progress-spinner=off"]

program = Path(sys.executable).with_name("pip-audit")
run = subprocess.run([program, *OPTIONS], capture_output=True, text=True, check=False)  # noqa: S603 - nothing is input
pins = json.loads(run.stdout)["dependencies"] if run.stdout else []
audited = [pin for pin in pins if "vulns" in pin]
flaws = [(pin["name"], pin["version"], flaw) for pin in audited for flaw in pin["vulns"]]
for name, version, flaw in flaws:
    print(f"{name} {version}: {flaw['id']}, fixed in {', '.join(flaw['fix_versions']) or 'no version yet'}")
if not audited:
    why = pins[0]["skip_reason"] if pins else run.stderr.strip().rpartition("\n")[-1]
    print(f"NOT DONE: no advisories could be fetched ({why})")
elif len(audited) < len(pins):
    print(f"NOT DONE for {len(pins) - len(audited)} versions, of which no advisories could be fetched:")
    print(*(pin["name"] for pin in pins if "vulns" not in pin), sep=", ")
print(f"{len(audited)} pinned versions audited, {len(flaws)} vulnerabilities known")
sys.exit(bool(flaws))
