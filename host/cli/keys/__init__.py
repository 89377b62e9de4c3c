"""Commands for device keys: `parsers` adds their arguments, `stored` changes the key file, `boards` talks to boards."""
