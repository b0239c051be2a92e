// The mimalloc of some years ago.
__attribute__((visibility("default"))) int mi_version(void) { return 227; }
