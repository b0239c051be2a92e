// What a program says before it dies of a write to a sealed page: one line on standard error that
// names the image, the object and how it is reached, the field, and the binary that wrote.
//
//   tenure: app.tenure is sealed, but something wrote to module 'app': code.co_consts[2] (tuple,
//   offset 0x4010), field ob_refcnt; the instruction is at 0x1139 of /…/old.so (see docs/images.md)
//
// Then whoever handled SIGSEGV before, faulthandler if it was enabled before, or the default.
//
// Thread safety: explain_sealed_writes() needs an attached thread.
#ifndef TENURE_IMMORTAL_IMAGE_SEALED_WRITE_H_
#define TENURE_IMMORTAL_IMAGE_SEALED_WRITE_H_

namespace tenure::image {

// From now on writes to sealed pages are explained. For the whole process and for good. False, with
// errno, if the handler cannot be put in place.
bool explain_sealed_writes();

}  // namespace tenure::image

#endif  // TENURE_IMMORTAL_IMAGE_SEALED_WRITE_H_
