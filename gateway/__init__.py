"""The process `orchestrator-api`: REST and MCP behind one address; the one place that knows both faces."""
