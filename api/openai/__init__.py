"""The OpenAI surface: what a client asks (`requests`), what it gets (`replies`), and a route a module."""
