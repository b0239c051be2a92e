// A mimalloc that was built without some of its functions.
__attribute__((visibility("default"))) int mi_version(void) { return 30607; }
__attribute__((visibility("default"))) void mi_thread_done(void) {}
__attribute__((visibility("default"))) void* mi_heap_new(void) { return 0; }
