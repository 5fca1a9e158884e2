"""Search APIs that find pages of the web: the protocol, SearXNG and MediaWiki."""
