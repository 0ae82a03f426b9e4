"""How long a test waits for a process that hangs: nothing that goes on takes this long anywhere."""

HANG_SECONDS = 3600
