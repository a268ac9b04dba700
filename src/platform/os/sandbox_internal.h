/* What the three files of the sandbox share. */
#ifndef PLATFORM_OS_SANDBOX_INTERNAL_H
#define PLATFORM_OS_SANDBOX_INTERNAL_H
#include "platform/os/sandbox.h"

/* Landlock. Sets has_files, has_ports, has_scopes to what the kernel enforces now. */
MUST_CHECK enum err sandbox_enter_landlock(const struct sandbox_rules *rules, struct sandbox_facts *facts);
/* seccomp. Sets has_calls. */
MUST_CHECK enum err sandbox_enter_seccomp(const struct sandbox_rules *rules, struct sandbox_facts *facts);

#endif
