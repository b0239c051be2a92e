/* The interpreter's state as no libpython has it. */
char _PyRuntime[64];
