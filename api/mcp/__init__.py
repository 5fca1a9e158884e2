"""The MCP server: the service as tools for other models' hosts, over stdio and streamable HTTP."""
