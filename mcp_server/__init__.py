"""The MCP face: tools, resources and prompts over the services, in both protocol eras; it decides nothing."""
