"""Which files of a tree are ours."""

import os
import pathlib

CPP_SUFFIXES = (".c", ".cc", ".h")


def files(root, suffixes):
    """Paths below `root`, relative to it, that end in one of `suffixes`; build outputs and hidden folders left out."""
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders
                      if not name.startswith((".", "bazel-", "__pycache__")) and (folder != str(root) or name != "out")]
        found += [pathlib.Path(folder, name).relative_to(root) for name in names if name.endswith(suffixes)]
    return sorted(found)
