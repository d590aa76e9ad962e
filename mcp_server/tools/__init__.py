"""The tools: one function per operation; parameters in, one service call, text and structure out."""
