"""`nightschool mcp`: the service as an MCP server on stdin and stdout."""

from api.cli.shell import settings


def mcp() -> None:
    """Serve MCP on stdin and stdout, for hosts that start such servers; needs NIGHTSCHOOL_API_KEY where
    the service has keys."""
    from api.mcp.stdio import serve_stdio

    serve_stdio(settings())
