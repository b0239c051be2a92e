"""One public header of a library, as a file for tests that compile by hand."""

def _public_header_impl(ctx):
    headers = ctx.attr.library[CcInfo].compilation_context.direct_public_headers
    (header,) = [file for file in headers if file.is_source and file.basename == ctx.attr.header]
    return [DefaultInfo(files = depset([header]), runfiles = ctx.runfiles(files = [header]))]

public_header = rule(
    implementation = _public_header_impl,
    attrs = {
        "header": attr.string(mandatory = True),
        "library": attr.label(mandatory = True, providers = [CcInfo]),
    },
)
