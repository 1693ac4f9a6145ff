"""Published configs, one module a library: PEER, VERSION, and PUBLIC, a list of Public; their files lie beside it."""
