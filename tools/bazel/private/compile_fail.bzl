"""A test that some misuse does not compile."""

load("@bazel_tools//tools/build_defs/cc:action_names.bzl", "CPP_COMPILE_ACTION_NAME")
load("@bazel_tools//tools/cpp:toolchain_utils.bzl", "find_cpp_toolchain", "use_cpp_toolchain")

_COMPILE = """
if "$@" 2>{log}; then
  echo COMPILED >{log}
fi
"""

_CHECK = """#!/bin/bash
if grep -qx COMPILED {log}; then
  echo '{src} compiles, and must not'
  exit 1
fi
if ! grep -Eq -- {expect} {log}; then
  echo '{src} is refused, but not with a message that matches' {expect}':'
  cat {log}
  exit 1
fi
"""

def _impl(ctx):
    toolchain = find_cpp_toolchain(ctx)
    features = cc_common.configure_features(
        ctx = ctx,
        cc_toolchain = toolchain,
        requested_features = ctx.features,
        unsupported_features = ctx.disabled_features,
    )
    context = cc_common.merge_cc_infos(cc_infos = [dep[CcInfo] for dep in ctx.attr.deps]).compilation_context
    variables = cc_common.create_compile_variables(
        cc_toolchain = toolchain,
        feature_configuration = features,
        include_directories = context.includes,
        preprocessor_defines = context.defines,
        quote_include_directories = context.quote_includes,
        source_file = ctx.file.src.path,
        system_include_directories = context.system_includes,
        user_compile_flags = ctx.fragments.cpp.copts + ctx.fragments.cpp.cxxopts + ctx.attr.copts,
    )
    arguments = cc_common.get_memory_inefficient_command_line(
        action_name = CPP_COMPILE_ACTION_NAME,
        feature_configuration = features,
        variables = variables,
    )
    compiler = cc_common.get_tool_for_action(action_name = CPP_COMPILE_ACTION_NAME, feature_configuration = features)
    log = ctx.actions.declare_file(ctx.label.name + ".log")
    ctx.actions.run_shell(
        outputs = [log],
        inputs = depset([ctx.file.src], transitive = [context.headers, toolchain.all_files]),
        arguments = [compiler] + arguments + ["-fsyntax-only", "-fdiagnostics-color=never"],
        command = _COMPILE.format(log = log.path),
        env = {"LC_ALL": "C"} | cc_common.get_environment_variables(
            action_name = CPP_COMPILE_ACTION_NAME,
            feature_configuration = features,
            variables = variables,
        ),
        mnemonic = "CompileFail",
        progress_message = "Compiling %{label}, which should fail",
        use_default_shell_env = False,
    )
    script = ctx.actions.declare_file(ctx.label.name + ".sh")
    ctx.actions.write(
        script,
        _CHECK.format(
            expect = "'" + ctx.attr.expect.replace("'", "'\\''") + "'",
            log = log.short_path,
            src = ctx.file.src.short_path,
        ),
        is_executable = True,
    )
    return [DefaultInfo(executable = script, runfiles = ctx.runfiles(files = [log]))]

compile_fail_test = rule(
    implementation = _impl,
    attrs = {
        "copts": attr.string_list(),
        "deps": attr.label_list(providers = [CcInfo]),
        "expect": attr.string(mandatory = True),
        "src": attr.label(allow_single_file = [".cc"], mandatory = True),
        "_cc_toolchain": attr.label(default = "@bazel_tools//tools/cpp:current_cc_toolchain"),
    },
    fragments = ["cpp"],
    test = True,
    toolchains = use_cpp_toolchain(),
)
