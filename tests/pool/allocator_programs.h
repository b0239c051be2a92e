// What the programs of the allocator's tests begin with: each is a process of its own, in which
// Python has not begun.
#ifndef TENURE_TESTS_POOL_ALLOCATOR_PROGRAMS_H_
#define TENURE_TESTS_POOL_ALLOCATOR_PROGRAMS_H_

#include "tenure/core/abi/python.h"
#include "tenure/pool/allocator.h"

namespace tenure::testing {

// Py_PreInitialize() without the environment, or with it.
void pre_initialize(PyMemAllocatorName allocator = PYMEM_ALLOCATOR_NOT_SET,
                    bool with_environment = false);

// An interpreter that reads neither the environment nor the user's files. Attached then.
void initialize();

// Py_FinalizeEx(), which has to succeed.
void finalize();

// Runs a module's source; the program fails on an exception. Requires: attached.
void run_python(const char* source);

// Pre-initialises, installs the allocator, which has to succeed, and initialises. The packaged
// mimalloc is used, also where a sanitizer has the stand-ins.
void start_with_allocator(pool::AllocatorDomains domains = {});

// Objects of many kinds and sizes, in cycles, and files of the library: something of everything.
inline constexpr const char* kWorkload = R"python(
import collections, gc, json, re
class Node:
    def __init__(self, value):
        self.value = value
        self.links = [self]
nodes = [Node(str(i) * (i % 40)) for i in range(5000)]
for i, node in enumerate(nodes):
    node.links.append(nodes[i * 7 % len(nodes)])
table = {i: (i, str(i), [i] * (i % 50), bytes(i % 3000)) for i in range(5000)}
assert json.loads(json.dumps({str(k): v[:3] for k, v in table.items()}))["7"][1] == "7"
assert re.sub(r"(\d+)", lambda m: m[1] * 2, "a1b22") == "a11b2222"
assert collections.Counter("abracadabra")["a"] == 5
grown = []
for i in range(20000):
    grown.append(i)
big = bytearray(10)
for i in range(20):
    big = big + big
assert len(big) == 10 << 20
del nodes, table, grown, big, node
assert gc.collect() >= 5000
)python";

}  // namespace tenure::testing

#endif  // TENURE_TESTS_POOL_ALLOCATOR_PROGRAMS_H_
