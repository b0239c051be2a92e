"""Data as a part of a binary: docs/linked.md tells about it."""

load("//tools/bazel/private:static_graph.bzl", "graph_files")

def static_graph(
        name,
        src = None,
        roots = None,
        format = None,
        lists = "tuple",
        dicts = "frozen",
        sets = "frozen",
        hash = "lazy",
        hash_seed = None,
        options = [],
        include_prefix = None,
        visibility = None,
        **kwargs):
    """Freezes data with the selected interpreter, into libraries to link.

    Makes the C++ libraries `name`, for extension modules and executables of any kind, and `name`.fixed, which makes the
    executable that it is linked into position-dependent, and in which nothing has to be relocated. Both have the header
    `name`.h with a function for each root, in the namespace `name`.

    Args:
      name: a name of C++.
      src: the data; it becomes the root "root".
      roots: instead of src, a dict from names of roots to files.
      format: what the files are, as for `python3 -m tenure freeze-data`; their endings say it otherwise.
      lists: "tuple" or "list".
      dicts: "frozen" or "builtin".
      sets: "frozen" or "builtin". What is kept as list, dict or set is made anew by each interpreter.
      hash: "lazy", "sealed" or "fixed".
      hash_seed: the PYTHONHASHSEED that "fixed" is for.
      options: more options of freeze-data.
      include_prefix: where the header is included from; the package's folder if it is not given.
      visibility: of the libraries.
      **kwargs: what every target takes: testonly, tags, target_compatible_with.
    """
    if (src == None) == (roots == None):
        fail("static_graph needs either src or roots")
    files = {"root": src} if roots == None else roots
    image = name + ".tenure"
    header = name + ".h"
    graph_files(
        name = name + ".files",
        srcs = files.values(),
        names = files.keys(),
        graph = name,
        image = image,
        header = header,
        source = name + ".cc",
        anywhere = name + ".s",
        fixed = name + ".fixed.s",
        options = ["--lists=" + lists, "--dict=" + dicts, "--sets=" + sets, "--hash=" + hash] +
                  (["--hash-seed={}".format(hash_seed)] if hash_seed != None else []) +
                  (["--format=" + format] if format != None else []) + options,
        visibility = ["//visibility:private"],
        **kwargs
    )
    for suffix, linkopts, deps in [
        ("", [], []),
        # The linker refuses what would be relocated at the program's start after all.
        (".fixed", ["-no-pie", "-Wl,-z,text"], [Label("//:linked_graph_guard")]),
    ]:
        native.cc_library(
            name = name + suffix,
            srcs = [name + ".cc", name + suffix + ".s"],
            hdrs = [header],
            # The assembler reads it.
            textual_hdrs = [image],
            include_prefix = include_prefix,
            linkopts = linkopts,
            # In no shared library of its own: the symbols are hidden.
            linkstatic = True,
            visibility = visibility,
            deps = [Label("//:handles"), Label("//:linked_graph")] + deps,
            **kwargs
        )
