// Compiled into Verilator's runtime and into every model: what the design prints and where it stops comes to the shim,
// instead of printing on the program's standard output and ending its process.
#ifndef HEMATITE_HOOKS_H
#define HEMATITE_HOOKS_H

extern "C" int hematite_print(const char* format, ...) __attribute__((format(printf, 1, 2)));

#define VL_PRINTF hematite_print
#define VL_USER_FINISH 1
#define VL_USER_STOP 1
#define VL_USER_FATAL 1

#endif
