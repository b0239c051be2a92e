"""Shell scripts parse, and shellcheck has nothing to say."""

import subprocess

import sources


def check(root):
    scripts = [path for path in ("dev", ".ci/run") if (root / path).exists()]
    scripts += [str(path) for path in sources.files(root, (".sh",))]
    problems = []
    for script in scripts:
        for command in (["bash", "-n"], ["shellcheck", "--format=gcc", "--external-sources", "--severity=warning"]):
            result = subprocess.run(
                [*command, script], cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            if result.returncode:
                problems += result.stdout.splitlines()
                break
    return problems
