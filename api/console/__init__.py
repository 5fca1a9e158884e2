"""The web console: pages in a browser, as a client of the api with the user's key."""
