"""Lint the GitHub action, and the workflows that the pages in docs/ show, without a connection.

check-jsonschema knows the schemas of the two CI services; zizmor audits what GitHub would run.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from examples import blocks

ROOT = Path(__file__).parents[1]
ACTION = ROOT / "conformance" / "action" / "action.yml"
PLACEHOLDER = "FULL_COMMIT_SHA"  # the reader's own choice, in the pages


def schema_of(path: Path) -> str:
    """The name of the schema that a file must meet."""
    if path.name == ACTION.name:
        return "vendor.github-actions"
    return "vendor.gitlab-ci" if "gitlab" in path.name else "vendor.github-workflows"


def write_workflows(folder: Path) -> list[Path]:
    """Write every YAML block of docs/ that has a name into its own folder."""
    written = []
    for page in sorted((ROOT / "docs").glob("**/*.md")):
        for block in blocks(page):
            if block.kind == "yaml" and block.file:
                path = folder / page.stem / block.file
                path.parent.mkdir(exist_ok=True)
                path.write_text(block.text.replace(PLACEHOLDER, "0" * 40), "utf-8")
                written.append(path)
    return written


def main() -> int:
    """Run both programs on every file; 1 if one of them objects, or there is nothing to lint."""
    programs = [shutil.which(name) for name in ("check-jsonschema", "zizmor")]
    if None in programs:
        print("check-jsonschema and zizmor must be installed: tox -e lint", file=sys.stderr)
        return 1
    check, zizmor = map(str, programs)
    with TemporaryDirectory() as folder:
        files = write_workflows(Path(folder))
        commands = [
            [check, "--builtin-schema", schema_of(path), str(path)] for path in (ACTION, *files)
        ]
        audited = [path for path in files if "gitlab" not in path.name]
        commands += [
            [zizmor, "--offline", "--no-progress", "--quiet", *map(str, (ACTION, *audited))]
        ]
        failed = [subprocess.run(command, check=False).returncode for command in commands]
    return int(not files or any(failed))


if __name__ == "__main__":
    sys.exit(main())
