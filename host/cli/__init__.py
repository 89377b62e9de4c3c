"""Commands of the host: `parsers` adds the arguments of each, and the module named after it runs it."""
