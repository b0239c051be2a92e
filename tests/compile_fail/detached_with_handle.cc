#include "tenure/handles/detached.h"

void run(tenure::Borrowed<> object) {
  tenure::detached([](tenure::Borrowed<>) {}, object);
}
