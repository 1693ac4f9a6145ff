"""Published configs, one module a library: PEER, and PUBLIC, a list of Public; their files lie beside it."""
