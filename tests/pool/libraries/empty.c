// What is called like mimalloc, and is something else.
int not_mimalloc(void) { return 1; }
