"""Handlers, one file per noun: parse, ask, render. Each takes the parts, the request and the path's segments."""
