"""Freezes data and writes what makes it a part of a binary."""

load("//tools/bazel/private:python.bzl", "PythonPackageInfo", "RUNS_PYTHON", "python_command")

_COMMAND = """
set -euo pipefail
{preload}# What it says is of interest if it fails.
said=$({interpreter} -B -m tenure "$@" 2>&1) || {{
  status=$?
  printf '%s\n' "$said" >&2
  exit $status
}}
"""

def _run(ctx, arguments, inputs, outputs, mnemonic, message):
    interpreter, preload = python_command(ctx)
    package = ctx.attr._package
    files = package[DefaultInfo].files
    (start,) = [file for file in files.to_list() if file.short_path.endswith("/tenure/__main__.py")]
    ctx.actions.run_shell(
        command = _COMMAND.format(interpreter = interpreter, preload = preload),
        arguments = [arguments],
        inputs = depset(inputs, transitive = [files]),
        outputs = outputs,
        env = {
            "ASAN_OPTIONS": "detect_leaks=0",
            "LC_ALL": "C.UTF-8",
            "PATH": "/usr/bin:/bin",
            "PYTHONNOUSERSITE": "1",
            "PYTHONPATH": start.path.removesuffix("/tenure/__main__.py"),
        },
        mnemonic = mnemonic,
        progress_message = message + " %{label}",
    )

def _impl(ctx):
    image = ctx.outputs.image
    freeze = ctx.actions.args()
    freeze.add("freeze-data")
    for name, source in zip(ctx.attr.names, ctx.files.srcs):
        freeze.add(source, format = name + "=%s")
    freeze.add("-o", image)
    freeze.add_all(ctx.attr.options)
    _run(ctx, freeze, ctx.files.srcs, [image], "TenureFreezeData", "Freezing")

    embed = ctx.actions.args()
    embed.add("embed")
    embed.add(image)
    embed.add("--name", ctx.attr.graph)
    embed.add("-o", image.dirname)
    parts = [ctx.outputs.header, ctx.outputs.source, ctx.outputs.anywhere, ctx.outputs.fixed]
    _run(ctx, embed, [image], parts, "TenureEmbed", "Embedding")
    return [DefaultInfo(files = depset([image] + parts))]

# The interpreter that freezes is the one that the graph is for, and what it runs is built for it: there is no other
# machine it could run on, so the package is not built once more for Bazel's own use.
graph_files = rule(
    implementation = _impl,
    attrs = {
        "anywhere": attr.output(mandatory = True),
        "fixed": attr.output(mandatory = True),
        "graph": attr.string(mandatory = True),
        "header": attr.output(mandatory = True),
        "image": attr.output(mandatory = True),
        "names": attr.string_list(mandatory = True),
        "options": attr.string_list(),
        "source": attr.output(mandatory = True),
        "srcs": attr.label_list(allow_files = True, mandatory = True),
        "_package": attr.label(default = "//python/tenure:package", providers = [PythonPackageInfo]),
    } | RUNS_PYTHON,
)
